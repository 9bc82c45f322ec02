"""What the Responses API has no place for, inside the `encrypted_content` of reasoning items, and the ids of items.

Callers that store nothing return reasoning as it came. So a vendor's marks come back to it, whichever vendor it is.
"""

from __future__ import annotations

import base64
import re
from typing import Any
from uuid import UUID

import msgspec

from aichat_server.content.parts import Part, ProviderItem, ReasoningPart, Signature, TextPart, ToolCallPart

OPENAI = "openai"
"""The vendor whose own form these items have, by its name in the catalogue."""
MESSAGE, CALL, REASONING = "message", "function_call", "reasoning"
"""The kinds of OpenAI's signatures: each is a whole item, or what one has besides its content, as JSON."""
_OURS = "aichat.1."
_ITEM_ID = re.compile(r"[a-z]{2,3}_([0-9a-f]{32})_([0-9]{1,6})")
_RESPONSE_ID = re.compile(r"resp_([0-9a-f]{32})")

_OWN = re.compile(rb'"(?:aichat\.1\.|(?:msg|rs|fc|ctc|ws)_[0-9a-f]{32}_)')

_parts = msgspec.json.Decoder(Part)


def sealed(part: Part) -> str:
    """Returns a part as `encrypted_content`."""
    return _OURS + base64.urlsafe_b64encode(msgspec.json.encode(part)).decode()


def is_sealed(content: str) -> bool:
    """Whether this platform wrote it."""
    return content.startswith(_OURS)


def has_own_marks(body: bytes | memoryview) -> bool:
    """Whether a request has items that only this platform understands, though another vendor's API wrote them."""
    return _OWN.search(body) is not None


def unsealed(content: str) -> Part | None:
    """Returns the part of `encrypted_content` that this platform wrote; None if it is none that it writes."""
    try:
        part = _parts.decode(base64.urlsafe_b64decode(content[len(_OURS) :]))
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return None
    match part:
        case ReasoningPart(signature=Signature() as signature) if signature.provider == OPENAI:
            return part if signature.kind == REASONING and _has_type(signature.data, REASONING) else None
        case ToolCallPart(signature=Signature() as signature) | TextPart(signature=Signature() as signature):
            return part if signature.provider != OPENAI else None
        case ProviderItem(provider=provider, json=told):
            return part if provider != OPENAI and _is_object(told) else None
        case ReasoningPart():
            return part
        case _:
            return None


def head_signature(kind: str, head: dict[str, Any]) -> Signature:
    """Returns OpenAI's mark of an item from what it has besides its content."""
    return Signature(OPENAI, msgspec.json.encode(head).decode(), kind)


def item_id(prefix: str, generation_id: UUID, number: int) -> str:
    """Returns the id of an answer's item."""
    return f"{prefix}_{generation_id.hex}_{number}"


def item_place(told: str) -> tuple[UUID, int] | None:
    """Returns which generation wrote an item, and its number there; None if the id is not of this platform."""
    found = _ITEM_ID.fullmatch(told)
    return (UUID(found[1]), int(found[2])) if found else None


def response_id(generation_id: UUID) -> str:
    """Returns the id of the response that a generation writes."""
    return f"resp_{generation_id.hex}"


def generation_of(told: str) -> UUID | None:
    """Returns which generation writes a response; None if the id is not of this platform."""
    found = _RESPONSE_ID.fullmatch(told)
    return UUID(found[1]) if found else None


class _Typed(msgspec.Struct):
    type: str = ""


def _has_type(told: str, kind: str) -> bool:
    try:
        return msgspec.json.decode(told, type=_Typed).type == kind
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return False


def _is_object(told: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(told), dict)
    except (ValueError, msgspec.MsgspecError, RecursionError):
        return False
