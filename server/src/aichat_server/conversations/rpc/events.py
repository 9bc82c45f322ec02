"""The events of an answer's stream, from the domain to the contract."""

from __future__ import annotations

from typing import TypeVar, assert_never

from aichat.v1 import chat_pb2, events_pb2

from aichat_server.conversations.rpc.messages import answer_to_proto
from aichat_server.conversations.rpc.parts import citation_to_proto, part_to_proto, tool_call_to_proto
from aichat_server.generations.domain.stream import (
    Completed,
    Heartbeat,
    Started,
    StreamEvent,
    ToolCallWhole,
    UsageSoFar,
)
from aichat_server.identity.service.caller import current_principal
from aichat_server.providers.domain.events import (
    CitationFound,
    ItemFound,
    PartEnd,
    ReasoningDelta,
    Sent,
    Signed,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
)
from aichat_server.transport.values import money_to_proto, usage_to_proto

ResponseT = TypeVar("ResponseT", chat_pb2.StreamChatResponse, chat_pb2.ResumeChatResponse)


def event_to_proto(kind: type[ResponseT], sequence: int, event: StreamEvent) -> ResponseT:  # noqa: C901 — one case for each kind
    """Returns an event as a response of `kind`."""
    match event:
        case TextDelta():
            return kind(sequence=sequence, text_delta=events_pb2.TextDelta(text=event.text))
        case ReasoningDelta():
            return kind(sequence=sequence, reasoning_delta=events_pb2.ReasoningDelta(text=event.text))
        case ToolCallDelta(call_id, text):
            delta = events_pb2.ToolCallDelta(call_id=call_id, arguments=text)
            return kind(sequence=sequence, tool_call_delta=delta)
        case Heartbeat():
            return kind(sequence=sequence, heartbeat=events_pb2.Heartbeat())
        case UsageSoFar(usage, cost):
            so_far = events_pb2.ChatUsage(usage=usage_to_proto(usage), cost=money_to_proto(cost))
            return kind(sequence=sequence, usage=so_far)
        case Completed(answer, place):
            message = answer_to_proto(current_principal().org_id, answer, place)
            return kind(sequence=sequence, completed=events_pb2.ChatCompleted(message=message))
        case Started():
            return kind(sequence=sequence, started=_started(event))
        case ToolCallStart(call_id, name):
            begun = events_pb2.ToolCallStarted(call_id=call_id, name=name)
            return kind(sequence=sequence, tool_call_started=begun)
        case ToolCallWhole(call):
            ended = events_pb2.ToolCallEnded(call=tool_call_to_proto(call))
            return kind(sequence=sequence, tool_call_ended=ended)
        case CitationFound(citation):
            added = events_pb2.CitationAdded(citation=citation_to_proto(citation))
            return kind(sequence=sequence, citation_added=added)
        case ItemFound(item):
            part = events_pb2.PartAdded(part=part_to_proto(item, unfold=False))
            return kind(sequence=sequence, part_added=part)
        case Signed() | PartEnd() | Sent():
            # Only other APIs show them. The number has no gap.
            return kind(sequence=sequence)
        case _:
            assert_never(event)


def _started(event: Started) -> events_pb2.ChatStarted:
    started = events_pb2.ChatStarted(
        generation_id=str(event.generation_id),
        conversation_id=event.place.get("conversation_id", ""),
        user_message_id=event.place.get("user_message_id", ""),
        message_id=event.place.get("message_id", ""),
        model=event.model,
        provider=event.provider,
        requested_model=event.requested_model,
    )
    if (left_out := event.left_out) is not None:
        started.left_out.tool_results, started.left_out.messages = left_out.tool_results, left_out.messages
        started.left_out.summarized, started.left_out.tokens = left_out.summarized, left_out.tokens
    return started
