"""ChatService over gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar, assert_never
from uuid import UUID

import grpc
from aichat.v1 import chat_pb2, chat_pb2_grpc, events_pb2

from aichat_server.conversations.rpc.messages import answer_to_proto, parts_from_proto
from aichat_server.conversations.rpc.models import model_to_proto
from aichat_server.conversations.service.chat import Chat, ChatMessage
from aichat_server.generations.domain.generation import GenerationState
from aichat_server.generations.domain.stream import Completed, Heartbeat, Started, StreamEvent, UsageSoFar
from aichat_server.generations.service.answers import Answers
from aichat_server.identity.service.caller import current_principal
from aichat_server.providers.domain.events import ReasoningDelta, TextDelta
from aichat_server.providers.domain.requests import ChatOptions, ReasoningEffort
from aichat_server.transport.sse import last_event_id
from aichat_server.transport.values import money_to_proto, usage_to_proto

_EFFORTS = {
    chat_pb2.REASONING_EFFORT_NONE: ReasoningEffort.NONE,
    chat_pb2.REASONING_EFFORT_LOW: ReasoningEffort.LOW,
    chat_pb2.REASONING_EFFORT_MEDIUM: ReasoningEffort.MEDIUM,
    chat_pb2.REASONING_EFFORT_HIGH: ReasoningEffort.HIGH,
}
_STATES = {
    GenerationState.COMPLETE: chat_pb2.GENERATION_STATE_COMPLETE,
    GenerationState.FAILED: chat_pb2.GENERATION_STATE_FAILED,
    GenerationState.INTERRUPTED: chat_pb2.GENERATION_STATE_INTERRUPTED,
    GenerationState.CANCELLED: chat_pb2.GENERATION_STATE_CANCELLED,
}

ResponseT = TypeVar("ResponseT", chat_pb2.StreamChatResponse, chat_pb2.ResumeChatResponse)


class ChatServicer(chat_pb2_grpc.ChatServiceServicer):
    """Streams journals to callers."""

    add_to = chat_pb2_grpc.add_ChatServiceServicer_to_server

    def __init__(self, chat: Chat, answers: Answers) -> None:
        self._chat = chat
        self._answers = answers

    async def StreamChat(  # noqa: N802
        self, request: chat_pb2.StreamChatRequest, _context: grpc.aio.ServicerContext[object, object]
    ) -> AsyncGenerator[chat_pb2.StreamChatResponse, None]:
        """Sends the message and yields the answer's events."""
        async with aclosing(await self._chat.send(current_principal(), _message(request))) as events:
            async for sequence, event in events:
                yield _response(chat_pb2.StreamChatResponse, sequence, event)

    async def ResumeChat(  # noqa: N802
        self, request: chat_pb2.ResumeChatRequest, context: grpc.aio.ServicerContext[object, object]
    ) -> AsyncGenerator[chat_pb2.ResumeChatResponse, None]:
        """Yields the answer's events from where the caller lost them."""
        after = last_event_id(context)
        resumed = await self._answers.resume(
            current_principal(), UUID(request.generation_id), request.after_sequence if after is None else after
        )
        async with aclosing(resumed) as events:
            async for sequence, event in events:
                yield _response(chat_pb2.ResumeChatResponse, sequence, event)

    async def CancelGeneration(  # noqa: N802
        self, request: chat_pb2.CancelGenerationRequest, _context: grpc.aio.ServicerContext[object, object]
    ) -> chat_pb2.CancelGenerationResponse:
        """Cancels the answer."""
        state = await self._answers.cancel(current_principal(), UUID(request.generation_id))
        return chat_pb2.CancelGenerationResponse(state=_STATES[state])

    async def ListModels(  # noqa: N802
        self, _request: chat_pb2.ListModelsRequest, _context: grpc.aio.ServicerContext[object, object]
    ) -> chat_pb2.ListModelsResponse:
        """Lists the models that the caller's plan offers."""
        models = self._chat.list_models(current_principal())
        return chat_pb2.ListModelsResponse(models=[model_to_proto(model) for model in models])


def _message(request: chat_pb2.StreamChatRequest) -> ChatMessage:
    return ChatMessage(
        model=request.model,
        parts=parts_from_proto(request.parts),
        request_id=_uuid(request.request_id),
        conversation_id=_uuid(request.conversation_id),
        parent_message_id=_uuid(request.parent_message_id),
        options=_options(request.options),
        cancel_on_disconnect=request.cancel_on_disconnect,
    )


def _uuid(text: str) -> UUID | None:
    return UUID(text) if text else None


def _options(options: chat_pb2.ChatOptions) -> ChatOptions:
    return ChatOptions(
        max_output_tokens=options.max_output_tokens if options.HasField("max_output_tokens") else None,
        temperature=options.temperature if options.HasField("temperature") else None,
        stop=tuple(options.stop),
        system_prompt=options.system_prompt,
        reasoning_effort=_EFFORTS.get(options.reasoning_effort),
    )


def _response(kind: type[ResponseT], sequence: int, event: StreamEvent) -> ResponseT:
    match event:
        case TextDelta():
            return kind(sequence=sequence, text_delta=events_pb2.TextDelta(text=event.text))
        case ReasoningDelta():
            return kind(sequence=sequence, reasoning_delta=events_pb2.ReasoningDelta(text=event.text))
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
        case _:
            assert_never(event)


def _started(event: Started) -> events_pb2.ChatStarted:
    return events_pb2.ChatStarted(
        generation_id=str(event.generation_id),
        **{name: event.place.get(name, "") for name in ("conversation_id", "user_message_id", "message_id")},
        model=event.model,
        provider=event.provider,
        requested_model=event.requested_model,
    )
