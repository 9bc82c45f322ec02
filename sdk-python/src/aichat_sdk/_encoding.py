"""Messages to bytes and back."""

from __future__ import annotations

from typing import TypeVar

import betterproto2

from aichat_sdk.errors import InvalidRequestError, ServerError

MessageT = TypeVar("MessageT", bound=betterproto2.Message)


def encode(message: betterproto2.Message) -> bytes:
    """The message's bytes; InvalidRequestError if it holds text that has no UTF-8 form."""
    try:
        return bytes(message)
    except UnicodeEncodeError as error:
        raise InvalidRequestError(
            f"text holds a lone surrogate, which is no character, at position {error.start}; take it out, or read the "
            "text with the right encoding"
        ) from error


def decode(kind: type[MessageT], data: bytes) -> MessageT:
    """The message that `data` holds; ServerError if it holds none."""
    try:
        return kind.parse(data)
    except Exception as error:
        raise ServerError(f"the server sent what is no {kind.__name__}") from error
