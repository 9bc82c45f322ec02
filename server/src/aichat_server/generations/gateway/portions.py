"""Portions of a stream as bytes: MessagePack, with a letter for each kind of event and no names for the small ones.

Servers of the version before read what this one writes, and the other way round: kinds and fields are only added.
"""

from __future__ import annotations

from typing import Any, assert_never

import msgspec

from aichat_server.content.parts import Citation, ProviderItem, Signature, ToolCallPart
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.stream import (
    Completed,
    Heartbeat,
    Portion,
    Position,
    Started,
    StreamEvent,
    ToolCallWhole,
    UsageSoFar,
)
from aichat_server.generations.gateway.stored_events import (
    completed_from,
    completed_to,
    started_from,
    started_to,
)
from aichat_server.providers.domain.events import (
    CitationFound,
    ItemFound,
    PartEnd,
    ReasoningDelta,
    Sent,
    SentKind,
    Signed,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
)


class _Text(msgspec.Struct, array_like=True, tag="t"):
    text: str


class _Reasoning(msgspec.Struct, array_like=True, tag="r"):
    text: str


class _Started(msgspec.Struct, array_like=True, tag="s"):
    event: dict[str, Any]


class _Usage(msgspec.Struct, array_like=True, tag="u"):
    event: UsageSoFar


class _Completed(msgspec.Struct, array_like=True, tag="c"):
    event: dict[str, dict[str, Any]]


class _CallStart(msgspec.Struct, array_like=True, tag="b"):
    call_id: str
    name: str


class _CallDelta(msgspec.Struct, array_like=True, tag="a"):
    call_id: str
    text: str


class _CallWhole(msgspec.Struct, array_like=True, tag="w"):
    call: ToolCallPart


class _Citation(msgspec.Struct, array_like=True, tag="q"):
    citation: Citation


class _Item(msgspec.Struct, array_like=True, tag="i"):
    item: ProviderItem


class _Signed(msgspec.Struct, array_like=True, tag="g"):
    signature: Signature
    call_id: str | None
    alone: bool


class _PartEnd(msgspec.Struct, array_like=True, tag="e"):
    """It has no fields."""


class _Sent(msgspec.Struct, array_like=True, tag="v"):
    data: bytes
    kind: SentKind
    status: int
    written: int = 0


_Content = _Text | _Reasoning | _CallStart | _CallDelta | _CallWhole | _Citation | _Item | _Signed | _PartEnd
_Event = _Started | _Usage | _Completed | _Content | _Sent


class _Failure(msgspec.Struct, array_like=True):
    reason: Reason
    message: str
    metadata: dict[str, str]
    retry_after: float | None


class _Portion(msgspec.Struct, array_like=True):
    events: list[_Event]
    failure: _Failure | None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Portion)


def encode_portion(portion: Portion) -> bytes:
    """Returns what a portion holds, without its position. Raises ValueError if a heartbeat is in it."""
    failure = portion.failure
    return _encoder.encode(
        _Portion(
            [_encoded(event) for event in portion.events],
            _Failure(failure.reason, failure.message, failure.metadata, failure.retry_after) if failure else None,
        )
    )


def decode_portion(position: Position, data: bytes) -> Portion:
    """Returns the portion that brought a stream to `position`. Raises msgspec.DecodeError if `data` is not one."""
    stored = _decoder.decode(data)
    failure = stored.failure
    return Portion(
        position,
        tuple(_decoded(event) for event in stored.events),
        AichatError(failure.reason, failure.message, metadata=failure.metadata, retry_after=failure.retry_after)
        if failure
        else None,
    )


def _encoded(event: StreamEvent) -> _Event:  # noqa: C901 — one case for each kind
    match event:
        case TextDelta():
            return _Text(event.text)
        case ReasoningDelta():
            return _Reasoning(event.text)
        case ToolCallDelta(call_id, text):
            return _CallDelta(call_id, text)
        case UsageSoFar():
            return _Usage(event)
        case ToolCallStart(call_id, name):
            return _CallStart(call_id, name)
        case ToolCallWhole(call):
            return _CallWhole(call)
        case CitationFound(citation):
            return _Citation(citation)
        case ItemFound(item):
            return _Item(item)
        case Signed(signature, call_id, alone):
            return _Signed(signature, call_id, alone)
        case PartEnd():
            return _PartEnd()
        case Sent(data, kind, status, written):
            return _Sent(data, kind, status, written)
        case Started():
            return _Started(started_to(event))
        case Completed():
            return _Completed({"message": completed_to(event)})
        case Heartbeat():
            raise ValueError("a heartbeat is not an event of a stream")
        case _:
            assert_never(event)


def _decoded(event: _Event) -> StreamEvent:  # noqa: C901 — one case for each kind
    match event:
        case _Text():
            return TextDelta(event.text)
        case _Reasoning():
            return ReasoningDelta(event.text)
        case _CallDelta(call_id, text):
            return ToolCallDelta(call_id, text)
        case _Usage():
            return event.event
        case _CallStart(call_id, name):
            return ToolCallStart(call_id, name)
        case _CallWhole(call):
            return ToolCallWhole(call)
        case _Citation(citation):
            return CitationFound(citation)
        case _Item(item):
            return ItemFound(item)
        case _Signed(signature, call_id, alone):
            return Signed(signature, call_id, alone)
        case _PartEnd():
            return PartEnd()
        case _Sent(data, kind, status, written):
            return Sent(data, kind, status, written)
        case _Started():
            return started_from(event.event)
        case _Completed():
            return completed_from(event.event["message"])
        case _:
            assert_never(event)
