"""Encodes messages as bytes and decodes them."""

from __future__ import annotations

from typing import TypeVar

import betterproto2

from aichat_sdk._checking import check
from aichat_sdk.errors import ServerError

MessageT = TypeVar("MessageT", bound=betterproto2.Message)


def encode(message: betterproto2.Message) -> bytes:
    """Returns the message's bytes; raises ArgumentError, naming the field, if a value has a wrong type."""
    check(message)
    return bytes(message)


def decode(kind: type[MessageT], data: bytes) -> MessageT:
    """Returns the message in `data`; raises ServerError if it is not a valid message."""
    try:
        return kind.parse(data)
    except Exception as error:
        raise ServerError(f"the server sent an invalid {kind.__name__}") from error
