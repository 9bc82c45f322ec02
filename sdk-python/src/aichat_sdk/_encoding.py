"""Messages to bytes and back."""

from __future__ import annotations

from typing import TypeVar

import betterproto2

from aichat_sdk._checking import check
from aichat_sdk.errors import ServerError

MessageT = TypeVar("MessageT", bound=betterproto2.Message)


def encode(message: betterproto2.Message) -> bytes:
    """The message's bytes; InvalidRequestError, which names the field, if a value is not of the contract's type."""
    check(message)
    return bytes(message)


def decode(kind: type[MessageT], data: bytes) -> MessageT:
    """The message that `data` holds; ServerError if it holds none."""
    try:
        return kind.parse(data)
    except Exception as error:
        raise ServerError(f"the server sent what is no {kind.__name__}") from error
