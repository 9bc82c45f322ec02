"""ChatService over gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

import grpc
from aichat.v1 import chat_pb2, chat_pb2_grpc, tokens_pb2

from aichat_server.conversations.rpc.asked import options_from_proto, parts_from_proto
from aichat_server.conversations.rpc.events import event_to_proto
from aichat_server.conversations.rpc.models import models_to_proto
from aichat_server.conversations.service.chat import Chat, ChatMessage
from aichat_server.conversations.service.counting import TokenCounts
from aichat_server.generations.domain.generation import GenerationState
from aichat_server.generations.service.answers import Answers
from aichat_server.identity.service.caller import current_principal
from aichat_server.transport.sse import last_event_id

_STATES = {
    GenerationState.COMPLETE: chat_pb2.GENERATION_STATE_COMPLETE,
    GenerationState.FAILED: chat_pb2.GENERATION_STATE_FAILED,
    GenerationState.INTERRUPTED: chat_pb2.GENERATION_STATE_INTERRUPTED,
    GenerationState.CANCELLED: chat_pb2.GENERATION_STATE_CANCELLED,
}


class ChatServicer(chat_pb2_grpc.ChatServiceServicer):
    """Streams journals to callers."""

    add_to = chat_pb2_grpc.add_ChatServiceServicer_to_server

    def __init__(self, chat: Chat, answers: Answers, counts: TokenCounts) -> None:
        self._chat = chat
        self._counts = counts
        self._answers = answers

    async def StreamChat(  # noqa: N802
        self, request: chat_pb2.StreamChatRequest, _context: grpc.aio.ServicerContext[object, object]
    ) -> AsyncGenerator[chat_pb2.StreamChatResponse, None]:
        """Sends the message and yields the answer's events."""
        async with aclosing(await self._chat.send(current_principal(), _message(request))) as events:
            async for sequence, event in events:
                yield event_to_proto(chat_pb2.StreamChatResponse, sequence, event)

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
                yield event_to_proto(chat_pb2.ResumeChatResponse, sequence, event)

    async def CancelGeneration(  # noqa: N802
        self, request: chat_pb2.CancelGenerationRequest, _context: grpc.aio.ServicerContext[object, object]
    ) -> chat_pb2.CancelGenerationResponse:
        """Cancels the answer."""
        state = await self._answers.cancel(current_principal(), UUID(request.generation_id))
        return chat_pb2.CancelGenerationResponse(state=_STATES[state])

    async def CountTokens(  # noqa: N802
        self, request: tokens_pb2.CountTokensRequest, _context: grpc.aio.ServicerContext[object, object]
    ) -> tokens_pb2.CountTokensResponse:
        """Counts the input tokens of a message with its conversation."""
        message = ChatMessage(
            model=request.model,
            parts=parts_from_proto(request.parts),
            conversation_id=_uuid(request.conversation_id),
            parent_message_id=_uuid(request.parent_message_id),
            options=options_from_proto(request.options),
        )
        count = await self._counts.count(current_principal(), message)
        return tokens_pb2.CountTokensResponse(
            input_tokens=count.tokens, estimated=count.estimated, context_window=count.context_window
        )

    async def ListModels(  # noqa: N802
        self, _request: chat_pb2.ListModelsRequest, _context: grpc.aio.ServicerContext[object, object]
    ) -> chat_pb2.ListModelsResponse:
        """Lists the models that the caller's plan offers."""
        return models_to_proto(self._chat.list_models(current_principal()))


def _message(request: chat_pb2.StreamChatRequest) -> ChatMessage:
    return ChatMessage(
        model=request.model,
        parts=parts_from_proto(request.parts),
        request_id=_uuid(request.request_id),
        conversation_id=_uuid(request.conversation_id),
        parent_message_id=_uuid(request.parent_message_id),
        options=options_from_proto(request.options),
        cancel_on_disconnect=request.cancel_on_disconnect,
    )


def _uuid(text: str) -> UUID | None:
    return UUID(text) if text else None
