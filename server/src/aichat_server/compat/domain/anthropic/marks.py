"""Vendors' marks in the form of Anthropic's: clients keep the signatures of thinking, and send them back as they were.

A mark of Anthropic's is its own signature. Any other is wrapped, together with whose it is and what it marks.
"""

from __future__ import annotations

import base64
import binascii
from enum import StrEnum

import msgspec

from aichat_server.content.parts import Signature
from aichat_server.core.errors import invalid_request

ANTHROPIC = "anthropic"
THINKING, REDACTED = "thinking", "redacted_thinking"
"""The kinds of Anthropic's marks, which are the types of its blocks."""
_PREFIX = "aichat:"


class Marked(StrEnum):
    """What a mark is on."""

    REASONING = "reasoning"
    TEXT = "text"
    """The text before it."""
    CALL = "call"
    """The call behind it."""
    ITEM = "item"
    """It is no mark, but what only its vendor understands."""


class Mark(msgspec.Struct, array_like=True, frozen=True):
    """A mark of another vendor than Anthropic."""

    on: Marked
    provider: str
    kind: str
    data: str

    @property
    def signature(self) -> Signature:
        """The mark itself."""
        return Signature(self.provider, self.data, self.kind)


def wrapped(on: Marked, signature: Signature) -> str:
    """Returns a mark as it is sent to clients."""
    if signature.provider == ANTHROPIC:
        return signature.data
    told = msgspec.json.encode(Mark(on, signature.provider, signature.kind, signature.data))
    return _PREFIX + base64.urlsafe_b64encode(told).decode()


def unwrapped(place: str, told: str) -> Mark | None:
    """Returns another vendor's mark; None if it is Anthropic's. Raises REQUEST_INVALID if it is not as it was sent."""
    if not told.startswith(_PREFIX):
        return None
    try:
        return msgspec.json.decode(base64.b64decode(told.removeprefix(_PREFIX), b"-_", validate=True), type=Mark)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise invalid_request(place, "is not as this server sent it: return it unchanged, or leave it out") from None
