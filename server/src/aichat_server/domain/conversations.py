"""Conversations and the messages they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from aichat_server.domain.events import StopReason
from aichat_server.domain.money import NanoUsd
from aichat_server.domain.usage import Usage


class Role(StrEnum):
    """Who wrote a message."""

    USER = "user"
    ASSISTANT = "assistant"


class MessageState(StrEnum):
    """How far a message got."""

    COMPLETE = "complete"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class TextPart:
    """A piece of text."""

    text: str


Part = TextPart
"""One piece of a message's content; other kinds will join."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """A conversation, as stored."""

    conversation_id: UUID
    org_id: UUID
    member_id: UUID
    title: str
    created_at: datetime
    updated_at: datetime
    head_message_id: UUID | None
    """The last message of the newest branch."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What only a model's message has."""

    generation_id: UUID
    model: str
    stop_reason: StopReason | None
    """None if the answer did not end by itself."""
    usage: Usage
    cost: NanoUsd


@dataclass(frozen=True, slots=True)
class Message:
    """A message, as stored."""

    message_id: UUID
    conversation_id: UUID
    parent_message_id: UUID | None
    org_id: UUID
    member_id: UUID
    role: Role
    parts: tuple[Part, ...]
    state: MessageState
    created_at: datetime
    answer: Answer | None = None
    """Present on a model's message."""


def text_of(parts: tuple[Part, ...]) -> str:
    """The text of all parts, in order."""
    return "\n\n".join(part.text for part in parts)
