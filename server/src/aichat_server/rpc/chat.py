"""ChatService over gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

import grpc
from aichat.v1 import chat_pb2, chat_pb2_grpc

from aichat_server.domain.chat import ChatOptions, ReasoningEffort
from aichat_server.domain.conversations import TextPart
from aichat_server.domain.events import ReasoningDelta, TextDelta
from aichat_server.domain.stream import Completed, Heartbeat, Started, StreamEvent, UsageSoFar
from aichat_server.rpc.caller import current_principal
from aichat_server.rpc.messages import message_to_proto, money_to_proto, usage_to_proto
from aichat_server.rpc.models import model_to_proto
from aichat_server.services.chat import Chat, ChatMessage
from aichat_server.services.models import Models

_EFFORTS = {
    chat_pb2.REASONING_EFFORT_NONE: ReasoningEffort.NONE,
    chat_pb2.REASONING_EFFORT_LOW: ReasoningEffort.LOW,
    chat_pb2.REASONING_EFFORT_MEDIUM: ReasoningEffort.MEDIUM,
    chat_pb2.REASONING_EFFORT_HIGH: ReasoningEffort.HIGH,
}


class ChatServicer(chat_pb2_grpc.ChatServiceServicer):
    """Reads journals to callers."""

    def __init__(self, chat: Chat, models: Models) -> None:
        self._chat = chat
        self._models = models

    async def StreamChat(  # noqa: N802
        self, request: chat_pb2.StreamChatRequest, _context: grpc.aio.ServicerContext[object, object]
    ) -> AsyncGenerator[chat_pb2.StreamChatResponse, None]:
        """Sends the message and yields the answer's events."""
        journal = await self._chat.send(current_principal(), _message(request))
        async with aclosing(journal.read()) as events:
            async for sequence, event in events:
                yield _response(sequence, event)

    async def ListModels(  # noqa: N802
        self, _request: chat_pb2.ListModelsRequest, _context: grpc.aio.ServicerContext[object, object]
    ) -> chat_pb2.ListModelsResponse:
        """Lists the models."""
        return chat_pb2.ListModelsResponse(models=[model_to_proto(model) for model in self._models.list()])


def _message(request: chat_pb2.StreamChatRequest) -> ChatMessage:
    return ChatMessage(
        model=request.model,
        parts=tuple(TextPart(part.text.text) for part in request.parts),
        request_id=_uuid(request.request_id),
        conversation_id=_uuid(request.conversation_id),
        parent_message_id=_uuid(request.parent_message_id),
        options=_options(request.options),
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


def _response(sequence: int, event: StreamEvent) -> chat_pb2.StreamChatResponse:
    if isinstance(event, TextDelta):
        return chat_pb2.StreamChatResponse(sequence=sequence, text_delta=chat_pb2.TextDelta(text=event.text))
    if isinstance(event, ReasoningDelta):
        delta = chat_pb2.ReasoningDelta(text=event.text)
        return chat_pb2.StreamChatResponse(sequence=sequence, reasoning_delta=delta)
    if isinstance(event, Heartbeat):
        return chat_pb2.StreamChatResponse(sequence=sequence, heartbeat=chat_pb2.Heartbeat())
    if isinstance(event, UsageSoFar):
        usage = chat_pb2.ChatUsage(usage=usage_to_proto(event.usage), cost=money_to_proto(event.cost))
        return chat_pb2.StreamChatResponse(sequence=sequence, usage=usage)
    if isinstance(event, Completed):
        completed = chat_pb2.ChatCompleted(message=message_to_proto(event.message))
        return chat_pb2.StreamChatResponse(sequence=sequence, completed=completed)
    return chat_pb2.StreamChatResponse(sequence=sequence, started=_started(event))


def _started(event: Started) -> chat_pb2.ChatStarted:
    return chat_pb2.ChatStarted(
        generation_id=str(event.generation_id),
        conversation_id=str(event.conversation_id),
        user_message_id=str(event.user_message_id),
        message_id=str(event.message_id),
        model=event.model,
        provider=event.provider,
        requested_model=event.requested_model,
    )
