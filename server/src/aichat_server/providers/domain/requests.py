"""A turn's request to a vendor."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from aichat_server.content.parts import Part, Role, text_of


class ReasoningEffort(StrEnum):
    """How much a model should reason before it answers."""

    NONE = "none"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


@dataclass(frozen=True, slots=True)
class ChatOptions:
    """Options of an answer; None means the default in the contract."""

    max_output_tokens: int | None = None
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    system_prompt: str = ""
    reasoning_effort: ReasoningEffort | None = None


@dataclass(frozen=True, slots=True)
class PathMessage:
    """A message that a model reads: one step of the path from the conversation's first message to the last."""

    role: Role
    parts: tuple[Part, ...]
    generation_id: UUID | None = None
    """The generation that is still writing it, whose parts are not stored yet; None if there is none."""


@dataclass(frozen=True, slots=True)
class ProviderRequest:
    """A request to a vendor."""

    model: str
    """The vendor's own id of the model."""
    messages: tuple[PathMessage, ...]
    """The conversation so far, the new message last; the roles need not alternate."""
    max_output_tokens: int
    temperature: float | None = None
    stop: tuple[str, ...] = ()
    system_prompt: str = ""
    reasoning_effort: ReasoningEffort | None = None
    reasons: bool = False
    """Whether the model reasons before it answers, and so may be silent for minutes."""

    @property
    def texts(self) -> tuple[str, ...]:
        """All texts that the model reads."""
        return (self.system_prompt, *(text_of(message.parts) for message in self.messages))
