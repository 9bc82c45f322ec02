"""Conversations and messages between the domain and the contract."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from uuid import UUID

from aichat.v1 import conversations_pb2, messages_pb2

from aichat_server.content.parts import Role
from aichat_server.conversations.domain import Conversation, Message, MessageState
from aichat_server.conversations.rpc.parts import parts_to_proto
from aichat_server.generations.domain.generation import Answer, Place
from aichat_server.providers.domain.events import StopReason
from aichat_server.transport.values import money_to_proto, timestamp, usage_to_proto

ROLES: Mapping[Role, messages_pb2.Role.ValueType] = MappingProxyType(
    {Role.USER: messages_pb2.ROLE_USER, Role.ASSISTANT: messages_pb2.ROLE_ASSISTANT}
)
STATES: Mapping[MessageState, messages_pb2.MessageState.ValueType] = MappingProxyType(
    {
        MessageState.COMPLETE: messages_pb2.MESSAGE_STATE_COMPLETE,
        MessageState.FAILED: messages_pb2.MESSAGE_STATE_FAILED,
        MessageState.INTERRUPTED: messages_pb2.MESSAGE_STATE_INTERRUPTED,
        MessageState.CANCELLED: messages_pb2.MESSAGE_STATE_CANCELLED,
    }
)
STOP_REASONS: Mapping[StopReason, messages_pb2.StopReason.ValueType] = MappingProxyType(
    {
        StopReason.END_TURN: messages_pb2.STOP_REASON_END_TURN,
        StopReason.MAX_TOKENS: messages_pb2.STOP_REASON_MAX_TOKENS,
        StopReason.STOP_SEQUENCE: messages_pb2.STOP_REASON_STOP_SEQUENCE,
        StopReason.OTHER: messages_pb2.STOP_REASON_OTHER,
        StopReason.TOOL_USE: messages_pb2.STOP_REASON_TOOL_USE,
    }
)


def conversation_to_proto(conversation: Conversation) -> conversations_pb2.Conversation:
    """A conversation, as stored."""
    return conversations_pb2.Conversation(
        conversation_id=str(conversation.conversation_id),
        organization_id=str(conversation.org_id),
        member_id=str(conversation.member_id),
        title=conversation.title,
        create_time=timestamp(conversation.created_at),
        update_time=timestamp(conversation.updated_at),
        head_message_id=_id(conversation.head_message_id),
    )


def message_to_proto(message: Message, *, unfold: bool = False) -> messages_pb2.Message:
    """A message, as stored. `unfold`: see parts_to_proto."""
    proto = messages_pb2.Message(
        message_id=str(message.message_id),
        conversation_id=str(message.conversation_id),
        parent_message_id=_id(message.parent_message_id),
        organization_id=str(message.org_id),
        member_id=str(message.member_id),
        role=ROLES[message.role],
        parts=parts_to_proto(message.parts, unfold=unfold),
        state=STATES[message.state],
        create_time=timestamp(message.created_at),
    )
    if message.answer is not None:
        _add_answer(proto, message.answer)
    return proto


def answer_to_proto(org_id: UUID, answer: Answer, place: Place) -> messages_pb2.Message:
    """An answer that is stored as a message, whose place tells the rest."""
    proto = messages_pb2.Message(
        message_id=place.get("message_id", ""),
        conversation_id=place.get("conversation_id", ""),
        parent_message_id=place.get("parent_message_id", ""),
        member_id=place.get("member_id", ""),
        organization_id=str(org_id),
        role=messages_pb2.ROLE_ASSISTANT,
        parts=parts_to_proto(answer.parts, unfold=False),
        state=STATES[MessageState(answer.state.value)],
    )
    if (created_at := place.get("created_at")) is not None:
        proto.create_time.CopyFrom(timestamp(datetime.fromisoformat(created_at)))
    _add_answer(proto, answer)
    return proto


def _add_answer(proto: messages_pb2.Message, answer: Answer) -> None:
    proto.generation_id = str(answer.generation_id)
    proto.model = answer.model
    if answer.stop_reason is not None:
        proto.stop_reason = STOP_REASONS[answer.stop_reason]
    proto.usage.CopyFrom(usage_to_proto(answer.usage))
    proto.cost.CopyFrom(money_to_proto(answer.cost))


def _id(value: UUID | None) -> str:
    return "" if value is None else str(value)
