"""The beginning and the end of a stream as maps. What a sink tells about the place stands flat among their fields.

The map of an end has the form of a message with its answer inside: servers of the version before read and write it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from aichat_server.content.parts import Part, Role
from aichat_server.content.stored import is_text_alone, text_alone
from aichat_server.core.money import NanoUsd
from aichat_server.generations.domain.generation import Answer, GenerationState, Place
from aichat_server.generations.domain.stream import Completed, Started
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import StopReason
from aichat_server.providers.domain.requests import LeftOut

Fields = Mapping[str, Any]
"""An event's fields and its place's, by name."""


class _Started(msgspec.Struct):
    generation_id: UUID
    model: str
    provider: str
    requested_model: str
    left_out: LeftOut | None = None


class _Answer(msgspec.Struct):
    generation_id: UUID
    model: str
    stop_reason: StopReason | None
    usage: Usage
    cost: NanoUsd


class _Completed(msgspec.Struct):
    parts: list[Part]
    state: GenerationState
    answer: _Answer
    content: list[Part] | None = None
    """All of the answer where `parts` are its text alone, for servers of the version before."""


def started_to(event: Started) -> dict[str, Any]:
    """Returns the map of a beginning."""
    own = _Started(event.generation_id, event.model, event.provider, event.requested_model, event.left_out)
    return {**event.place, **{name: value for name, value in msgspec.structs.asdict(own).items() if value is not None}}


def started_from(fields: Fields) -> Started:
    """Returns the beginning. Raises msgspec.ValidationError if the map is not one."""
    own = msgspec.convert(fields, _Started)
    place = _place(fields, _Started)
    return Started(own.generation_id, own.model, own.provider, own.requested_model, place, own.left_out)


def completed_to(event: Completed) -> dict[str, Any]:
    """Returns the map of an end."""
    answer = event.answer
    own = _Answer(answer.generation_id, answer.model, answer.stop_reason, answer.usage, answer.cost)
    about = {**event.place, "state": answer.state, "answer": own}
    if is_text_alone(answer.parts, Role.ASSISTANT):
        return about | {"parts": answer.parts}
    return about | {"parts": text_alone(answer.parts, Role.ASSISTANT), "content": answer.parts}


def completed_from(fields: Fields) -> Completed:
    """Returns the end. Raises msgspec.ValidationError if the map is not one."""
    kept = msgspec.convert(fields, _Completed)
    own = kept.answer
    parts = tuple(kept.parts if kept.content is None else kept.content)
    answer = Answer(own.generation_id, own.model, parts, kept.state, own.stop_reason, own.usage, own.cost)
    return Completed(answer, _place(fields, _Completed))


def _place(fields: Fields, own: type[msgspec.Struct]) -> Place:
    return dict(_texts(fields, frozenset(own.__struct_fields__)))


def _texts(fields: Fields, own: frozenset[str]) -> Iterator[tuple[str, str]]:
    for name, value in fields.items():
        if name in own or value is None:
            continue
        # Servers of the version before write times as MessagePack does.
        yield name, value.isoformat() if isinstance(value, datetime) else str(value)
