"""Conversations and the messages they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from aichat_server.content.parts import Part, Role
from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import StopReason


class MessageState(StrEnum):
    """How far a message got."""

    COMPLETE = "complete"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


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
