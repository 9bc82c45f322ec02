"""What the readers of an answer see: the vendor's deltas between a beginning and an end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from aichat_server.core.errors import AichatError
from aichat_server.core.money import NanoUsd
from aichat_server.generations.domain.generation import Answer, Place
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import ReasoningDelta, TextDelta


@dataclass(frozen=True, slots=True)
class Started:
    """The vendor took the request and the answer begins."""

    generation_id: UUID
    model: str
    """The model that answers."""
    provider: str
    requested_model: str
    """The model that was asked for. It differs from `model` if a fallback answers."""
    place: Place
    """Where the answer will be kept."""


@dataclass(frozen=True, slots=True)
class UsageSoFar:
    """What the answer has used so far, and what that costs."""

    usage: Usage
    cost: NanoUsd


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing happened for a while; the stream is alive."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The answer is complete, and its sink keeps it."""

    answer: Answer
    place: Place


Delta = TextDelta | ReasoningDelta
StreamEvent = Started | TextDelta | ReasoningDelta | UsageSoFar | Heartbeat | Completed


class Position(NamedTuple):
    """How far a stream has got."""

    sequence: int
    """The number of its last event; 0 before the first."""
    ended: bool
    """Whether it is known how the stream ended."""


BEGINNING = Position(0, ended=False)


@dataclass(frozen=True, slots=True)
class Portion:
    """Events of a stream that follow each other."""

    position: Position
    """How far the stream has got with them."""
    events: tuple[StreamEvent, ...]
    failure: AichatError | None = None
    """What the stream ended with, if it has ended and not well."""
