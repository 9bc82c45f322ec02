"""What the readers of an answer see: a beginning, the vendor's deltas, and an end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from aichat_server.content.parts import ToolCallPart
from aichat_server.core.errors import AichatError
from aichat_server.core.money import NanoUsd
from aichat_server.generations.domain.generation import Answer, Place
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import (
    CitationFound,
    Delta,
    ItemFound,
    PartEnd,
    Sent,
    Signed,
    ToolCallStart,
)
from aichat_server.providers.domain.requests import LeftOut


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
    left_out: LeftOut | None = None
    """What the model is not shown; None if it is shown all."""


@dataclass(frozen=True, slots=True)
class ToolCallWhole:
    """A tool call is whole."""

    call: ToolCallPart


@dataclass(frozen=True, slots=True)
class UsageSoFar:
    """What the answer has used so far, and its cost."""

    usage: Usage
    cost: NanoUsd


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Nothing has happened for a while, but the stream is alive."""


@dataclass(frozen=True, slots=True)
class Completed:
    """The answer is complete, and its sink keeps it."""

    answer: Answer
    place: Place


ContentShown = Delta | ToolCallStart | ToolCallWhole | CitationFound | ItemFound | Signed | PartEnd
"""What readers see of an answer's content. Native readers see neither marks nor the ends of parts."""
StreamEvent = Started | ContentShown | Sent | UsageSoFar | Heartbeat | Completed


class Position(NamedTuple):
    """How far a stream has come."""

    sequence: int
    """The number of its last event; 0 before the first."""
    ended: bool
    """Whether it is known how the stream ended."""


BEGINNING = Position(0, ended=False)


@dataclass(frozen=True, slots=True)
class Portion:
    """Consecutive events of a stream."""

    position: Position
    """The stream's position after them."""
    events: tuple[StreamEvent, ...]
    failure: AichatError | None = None
    """The failure that the stream ended with; None if it has not ended, or succeeded."""
