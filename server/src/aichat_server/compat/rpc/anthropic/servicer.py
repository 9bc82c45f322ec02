"""AnthropicService over gRPC: each resource of the API has a file of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from aichat.v1 import anthropic_pb2 as pb
from aichat.v1.anthropic_pb2_grpc import AnthropicServiceServicer, add_AnthropicServiceServicer_to_server

from aichat_server.compat.rpc.anthropic.errors import limit_headers
from aichat_server.compat.rpc.anthropic.messages import Messages
from aichat_server.compat.rpc.anthropic.models import AnthropicModels
from aichat_server.compat.rpc.headers import headers_of, tell_limits
from aichat_server.compat.rpc.pieces import response_of
from aichat_server.limits.service import RateLimits
from aichat_server.transport.call import Context


class AnthropicServicer(AnthropicServiceServicer):
    """Serves Anthropic's API."""

    add_to = add_AnthropicServiceServicer_to_server

    def __init__(self, messages: Messages, models: AnthropicModels, limits: RateLimits) -> None:
        self._messages = messages
        self._models = models
        self._limits = limits

    async def CreateMessage(  # noqa: N802 — the contract names the methods
        self, request: pb.CreateMessageRequest, context: Context
    ) -> AsyncGenerator[pb.CreateMessageResponse, None]:
        """Answers a conversation."""
        tell_limits(self._limits, limit_headers)
        async with aclosing(await self._messages.create(request, headers_of(context))) as pieces:
            async for piece in pieces:
                yield response_of(pb.CreateMessageResponse, piece)

    async def CountMessageTokens(  # noqa: N802
        self, request: pb.CountMessageTokensRequest, context: Context
    ) -> AsyncGenerator[pb.CountMessageTokensResponse, None]:
        """Counts the input tokens of a message."""
        async with aclosing(self._messages.count(request, headers_of(context))) as pieces:
            async for piece in pieces:
                yield response_of(pb.CountMessageTokensResponse, piece)

    async def ListAnthropicModels(  # noqa: N802
        self, request: pb.ListAnthropicModelsRequest, context: Context
    ) -> AsyncGenerator[pb.ListAnthropicModelsResponse, None]:
        """Lists the models."""
        async with aclosing(self._models.list(request, headers_of(context))) as pieces:
            async for piece in pieces:
                yield response_of(pb.ListAnthropicModelsResponse, piece)

    async def GetAnthropicModel(  # noqa: N802
        self, request: pb.GetAnthropicModelRequest, context: Context
    ) -> AsyncGenerator[pb.GetAnthropicModelResponse, None]:
        """Returns one model."""
        async with aclosing(self._models.get(request.model, headers_of(context))) as pieces:
            async for piece in pieces:
                yield response_of(pb.GetAnthropicModelResponse, piece)
