"""Portions of a stream as bytes: MessagePack, with a letter for each kind of event and no names for the small ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.stream import Completed, Portion, Position, Started, StreamEvent, UsageSoFar
from aichat_server.providers.domain.events import ReasoningDelta, TextDelta


class _Text(msgspec.Struct, array_like=True, tag="t"):
    text: str


class _Reasoning(msgspec.Struct, array_like=True, tag="r"):
    text: str


class _Started(msgspec.Struct, array_like=True, tag="s"):
    event: Started


class _Usage(msgspec.Struct, array_like=True, tag="u"):
    event: UsageSoFar


class _Completed(msgspec.Struct, array_like=True, tag="c"):
    event: Completed


_Event = _Text | _Reasoning | _Started | _Usage | _Completed


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

_ENCODED: Mapping[type, Callable[..., _Event]] = MappingProxyType(
    {
        TextDelta: lambda event: _Text(event.text),
        ReasoningDelta: lambda event: _Reasoning(event.text),
        Started: _Started,
        UsageSoFar: _Usage,
        Completed: _Completed,
    }
)


def encode_portion(portion: Portion) -> bytes:
    """What a portion holds, but for its position; heartbeats are no events of a stream and must not be in it."""
    failure = portion.failure
    return _encoder.encode(
        _Portion(
            [_ENCODED[type(event)](event) for event in portion.events],
            _Failure(failure.reason, failure.message, failure.metadata, failure.retry_after) if failure else None,
        )
    )


def decode_portion(position: Position, data: bytes) -> Portion:
    """The portion that brought a stream to `position`; msgspec.DecodeError if `data` is none."""
    stored = _decoder.decode(data)
    failure = stored.failure
    return Portion(
        position,
        tuple(_decoded(event) for event in stored.events),
        AichatError(failure.reason, failure.message, metadata=failure.metadata, retry_after=failure.retry_after)
        if failure
        else None,
    )


def _decoded(event: _Event) -> StreamEvent:
    if isinstance(event, _Text):
        return TextDelta(event.text)
    if isinstance(event, _Reasoning):
        return ReasoningDelta(event.text)
    return event.event
