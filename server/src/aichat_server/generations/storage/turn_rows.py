"""What the database's turn functions return, as the domain knows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from aichat_server.content.parts import Role
from aichat_server.content.stored import StoredText, to_parts
from aichat_server.conversations.domain import Answer, Message, MessageState
from aichat_server.core.errors import Reason
from aichat_server.core.money import NanoUsd
from aichat_server.generations.domain.generation import GenerationState
from aichat_server.models.domain.usage import KINDS, Usage
from aichat_server.providers.domain.events import StopReason
from aichat_server.providers.domain.requests import PathMessage
from aichat_server.quotas.domain import QuotaRefusal


@dataclass(frozen=True, slots=True)
class EarlierTurn:
    """A turn that had begun before."""

    generation_id: UUID
    conversation_id: UUID
    user_message_id: UUID
    message_id: UUID
    fingerprint: bytes
    model: str
    """The one that answers."""
    requested_model: str
    """The one that was asked for; another one than `model` where a fallback answers."""
    provider: str
    state: GenerationState
    error_reason: Reason | None
    error_message: str | None
    message: Message | None
    """The answer as stored; None while it is being written, and after its conversation was deleted."""


_Told = dict[str, Any]
"""An answer's row, which has a count for each of the KINDS besides."""


class _PathRow(msgspec.Struct):
    role: Role
    parts: list[StoredText]
    generation_id: UUID | None = None


class _AnswerRow(msgspec.Struct):
    message_id: UUID
    conversation_id: UUID
    parent_message_id: UUID
    member_id: UUID
    parts: list[StoredText]
    state: MessageState
    created_at: datetime
    generation_id: UUID
    model: str
    stop_reason: StopReason | None
    usage_estimated: bool
    cost_nano_usd: int


class _EarlierRow(msgspec.Struct):
    generation_id: UUID
    conversation_id: UUID
    user_message_id: UUID
    message_id: UUID
    fingerprint: str
    model: str
    requested_model: str
    provider: str
    state: GenerationState
    error_reason: Reason | None
    error_message: str | None
    answer: _Told | None


def read_path(stored: str | None) -> tuple[PathMessage, ...]:
    """The history that aichat.begin_turn returned."""
    rows = msgspec.json.decode(stored, type=list[_PathRow]) if stored else ()
    return tuple(PathMessage(row.role, to_parts(row.parts), row.generation_id) for row in rows)


def read_answer(org_id: UUID, stored: str) -> Message:
    """The stored answer that aichat.end_turn returned."""
    return _to_message(org_id, msgspec.json.decode(stored))


def read_refusal(detail: str | None) -> QuotaRefusal:
    """Why aichat.begin_turn refused a turn that could bring its owner above a quota."""
    return msgspec.json.decode(detail or "", type=QuotaRefusal)


def read_earlier(org_id: UUID, stored: str) -> EarlierTurn:
    """A turn that had begun before, as the functions of the database return it."""
    row = msgspec.json.decode(stored, type=_EarlierRow)
    return EarlierTurn(
        row.generation_id,
        row.conversation_id,
        row.user_message_id,
        row.message_id,
        bytes.fromhex(row.fingerprint),
        row.model,
        row.requested_model,
        row.provider,
        row.state,
        row.error_reason,
        row.error_message,
        _to_message(org_id, row.answer) if row.answer else None,
    )


def _to_message(org_id: UUID, told: _Told) -> Message:
    row = msgspec.convert(told, _AnswerRow)
    counts: dict[str, int] = {kind.name: told[kind.column] for kind in KINDS}
    usage = Usage(**counts, estimated=row.usage_estimated)
    answer = Answer(row.generation_id, row.model, row.stop_reason, usage, NanoUsd(row.cost_nano_usd))
    return Message(
        message_id=row.message_id,
        conversation_id=row.conversation_id,
        parent_message_id=row.parent_message_id,
        org_id=org_id,
        member_id=row.member_id,
        role=Role.ASSISTANT,
        parts=to_parts(row.parts),
        state=row.state,
        created_at=row.created_at,
        answer=answer,
    )
