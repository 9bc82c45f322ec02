"""A generation: one model writes one answer for one organisation. How it begins and ends, and what is known of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

from aichat_server.content.parts import Part
from aichat_server.core.errors import Reason
from aichat_server.core.money import NanoUsd
from aichat_server.generations.domain.content import AnswerContent
from aichat_server.models.domain.pricing import Hold
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import StopReason
from aichat_server.providers.domain.requests import LeftOut

Place = Mapping[str, str]
"""What a sink tells the readers of an answer about where it is kept, such as a message's ids. Generations carry it."""


class GenerationState(StrEnum):
    """How far a generation got."""

    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


class GenerationKey(NamedTuple):
    """Names a generation, and whose it is."""

    org_id: UUID
    generation_id: UUID


class OrphanedKey(NamedTuple):
    """Names a generation whose process no longer renews its lease."""

    key: GenerationKey
    expired_at: datetime
    """When its lease expired."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A caller's request id, claimed for one generation: the same request never begins that one twice."""

    request_id: UUID
    fingerprint: bytes
    """What must be the same when the request id comes again."""
    lane: int = 0
    """Which of the request's generations: one request may begin several, side by side."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """A generation to begin."""

    org_id: UUID
    member_id: UUID
    key_id: UUID | None
    """The API key that asked; None for a session token."""
    generation_id: UUID
    """The caller's choice."""
    model: str
    """The model that is asked for."""
    provider: str
    options: Mapping[str, object]
    """How to answer, as JSON can say it. What the model reads of it, such as the system prompt, is kept
    only while the generation runs."""
    hold: Hold
    claim: Claim | None = None
    """None: the same call begins another generation each time."""

    @property
    def key(self) -> GenerationKey:
        """The generation's."""
        return GenerationKey(self.org_id, self.generation_id)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a generation ended."""

    org_id: UUID
    member_id: UUID
    generation_id: UUID
    model: str
    """The model that answered. It may be a fallback of the one that was asked for."""
    provider: str
    state: GenerationState
    """Any but RUNNING."""
    parts: tuple[Part, ...] | None
    """The answer as far as it got; None if nothing came that could be kept. A complete answer may be empty."""
    stop_reason: StopReason | None
    """None if the model did not end the answer."""
    usage: Usage
    raw_usage: Mapping[str, object]
    """The vendor's own words about the usage."""
    cost: NanoUsd
    """Of the usage. Less may be charged if the answer is not complete, or if its hold has expired."""
    price_version: datetime
    """Names the price that the cost was computed with."""
    error_reason: Reason | None
    error_message: str | None
    left_out: LeftOut | None = None
    """What the model was not shown; None if it was shown all."""
    first_delta_ms: int | None = None
    """From the call of the vendor to the first piece of the answer; None if none came."""

    @property
    def key(self) -> GenerationKey:
        """The generation's."""
        return GenerationKey(self.org_id, self.generation_id)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a generation wrote, as it is kept and shown."""

    generation_id: UUID
    model: str
    """The model that answered."""
    parts: tuple[Part, ...]
    state: GenerationState
    """Any but RUNNING."""
    stop_reason: StopReason | None
    """None if the model did not end the answer."""
    usage: Usage
    cost: NanoUsd
    """What was charged."""


@dataclass(frozen=True, slots=True)
class Known:
    """A generation as the database knows it."""

    generation_id: UUID
    sink: str
    """The name of the sink that its answer goes to."""
    place: Place
    fingerprint: bytes | None
    """Its claim's; None if it has claimed no request id, or has given it back."""
    model: str
    """The model that answers."""
    requested_model: str
    """The model that was asked for. It differs from `model` if a fallback answers."""
    provider: str
    state: GenerationState
    error_reason: Reason | None
    error_message: str | None
    stop_reason: StopReason | None
    usage: Usage
    """Nothing while it runs, as the cost."""
    cost: NanoUsd
    """What was charged."""
    left_out: LeftOut | None
    """What the model was not shown; None if it was shown all, and while it runs."""
    parts: tuple[Part, ...] | None
    """The answer as its sink keeps it. None while it is being written, and if the sink keeps nothing of it."""

    @property
    def answer(self) -> Answer | None:
        """The answer; None if there are no parts of it."""
        if self.parts is None:
            return None
        about = (self.state, self.stop_reason, self.usage, self.cost)
        return Answer(self.generation_id, self.model, self.parts, *about)


@dataclass(frozen=True, slots=True)
class Begun:
    """A generation that has begun, or the one that its claim began before."""

    place: Place
    known: Known | None = None
    """What the request id began before. If it is there, nothing was begun."""
    quota_failure: str | None = None
    """Why the quotas could not be checked, if the generation goes ahead without them."""


@dataclass(frozen=True, slots=True)
class Orphan:
    """A generation that nobody writes any more, as it began."""

    key: GenerationKey
    member_id: UUID
    sink: str
    model: str
    """The model that was asked for."""
    provider: str
    started_at: datetime
    options: Mapping[str, object]


def kept_parts(state: GenerationState, content: AnswerContent) -> tuple[Part, ...] | None:
    """Returns what is kept of an answer. Unless it is complete, reasoning and white space alone are not kept."""
    if state is not GenerationState.COMPLETE and not content.has_words:
        return None
    return content.parts()
