"""OpenAIService over gRPC: each resource of the API has a file of its own."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from aichat.v1 import openai_pb2 as pb
from aichat.v1.openai_pb2_grpc import OpenAIServiceServicer, add_OpenAIServiceServicer_to_server

from aichat_server.compat.rpc.headers import headers_of, tell_limits
from aichat_server.compat.rpc.openai.chat_completions import ChatCompletions
from aichat_server.compat.rpc.openai.embeddings import Embeddings
from aichat_server.compat.rpc.openai.errors import limit_headers, of_responses
from aichat_server.compat.rpc.openai.models import OpenAIModels
from aichat_server.compat.rpc.openai.responses import Responses
from aichat_server.compat.rpc.pieces import response_of
from aichat_server.core.errors import AichatError
from aichat_server.identity.service.caller import current_principal
from aichat_server.limits.service import RateLimits
from aichat_server.transport.call import Context


class OpenAIServicer(OpenAIServiceServicer):
    """Serves OpenAI's API."""

    add_to = add_OpenAIServiceServicer_to_server

    def __init__(
        self,
        completions: ChatCompletions,
        responses: Responses,
        embeddings: Embeddings,
        models: OpenAIModels,
        limits: RateLimits,
    ) -> None:
        self._completions = completions
        self._responses = responses
        self._embeddings = embeddings
        self._models = models
        self._limits = limits

    async def CreateChatCompletion(  # noqa: N802 — the contract names the methods
        self, request: pb.CreateChatCompletionRequest, context: Context
    ) -> AsyncGenerator[pb.CreateChatCompletionResponse, None]:
        """Answers a conversation by Chat Completions."""
        tell_limits(self._limits, limit_headers)
        async with aclosing(await self._completions.create(request.body, headers_of(context))) as pieces:
            async for piece in pieces:
                yield response_of(pb.CreateChatCompletionResponse, piece)

    async def CreateResponse(  # noqa: N802
        self, request: pb.CreateResponseRequest, context: Context
    ) -> AsyncGenerator[pb.CreateResponseResponse, None]:
        """Answers by the Responses API."""
        tell_limits(self._limits, limit_headers)
        try:
            async with aclosing(await self._responses.create(request.body, headers_of(context))) as pieces:
                async for piece in pieces:
                    yield response_of(pb.CreateResponseResponse, piece)
        except AichatError as error:
            raise of_responses(error, current_principal().plan) from error.__cause__

    async def RetrieveResponse(  # noqa: N802
        self, request: pb.RetrieveResponseRequest, _context: Context
    ) -> AsyncGenerator[pb.RetrieveResponseResponse, None]:
        """Returns a stored response, or its events."""
        async with aclosing(self._responses.retrieve(request)) as pieces:
            async for piece in pieces:
                yield response_of(pb.RetrieveResponseResponse, piece)

    async def CancelResponse(  # noqa: N802
        self, request: pb.CancelResponseRequest, _context: Context
    ) -> AsyncGenerator[pb.CancelResponseResponse, None]:
        """Cancels a response."""
        async with aclosing(self._responses.cancel(request.response_id)) as pieces:
            async for piece in pieces:
                yield response_of(pb.CancelResponseResponse, piece)

    async def DeleteResponse(  # noqa: N802
        self, request: pb.DeleteResponseRequest, _context: Context
    ) -> AsyncGenerator[pb.DeleteResponseResponse, None]:
        """Deletes a stored response."""
        async with aclosing(self._responses.delete(request.response_id)) as pieces:
            async for piece in pieces:
                yield response_of(pb.DeleteResponseResponse, piece)

    async def ListResponseInputItems(  # noqa: N802
        self, request: pb.ListResponseInputItemsRequest, _context: Context
    ) -> AsyncGenerator[pb.ListResponseInputItemsResponse, None]:
        """Lists what a stored response was asked."""
        async with aclosing(self._responses.input_items(request)) as pieces:
            async for piece in pieces:
                yield response_of(pb.ListResponseInputItemsResponse, piece)

    async def CreateOpenAIEmbeddings(  # noqa: N802
        self, request: pb.CreateOpenAIEmbeddingsRequest, context: Context
    ) -> AsyncGenerator[pb.CreateOpenAIEmbeddingsResponse, None]:
        """Returns embeddings."""
        tell_limits(self._limits, limit_headers)
        async with aclosing(self._embeddings.create(request.body, headers_of(context))) as pieces:
            async for piece in pieces:
                yield response_of(pb.CreateOpenAIEmbeddingsResponse, piece)

    async def ListOpenAIModels(  # noqa: N802
        self, _request: pb.ListOpenAIModelsRequest, _context: Context
    ) -> AsyncGenerator[pb.ListOpenAIModelsResponse, None]:
        """Lists the models."""
        async with aclosing(self._models.list()) as pieces:
            async for piece in pieces:
                yield response_of(pb.ListOpenAIModelsResponse, piece)

    async def GetOpenAIModel(  # noqa: N802
        self, request: pb.GetOpenAIModelRequest, _context: Context
    ) -> AsyncGenerator[pb.GetOpenAIModelResponse, None]:
        """Returns one model."""
        async with aclosing(self._models.get(request.model)) as pieces:
            async for piece in pieces:
                yield response_of(pb.GetOpenAIModelResponse, piece)
