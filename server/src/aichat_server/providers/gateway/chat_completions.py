"""Vendors that speak OpenAI's Chat Completions."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
import openai
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from aichat_server.providers.domain.embeddings import EmbeddingAnswer, EmbeddingRequest
from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.domain.verbatim import VendorApi
from aichat_server.providers.gateway import vectors
from aichat_server.providers.gateway.answer import AnswerReader
from aichat_server.providers.gateway.base import ProviderConfig
from aichat_server.providers.gateway.chat_completions_reader import ChatCompletionsReader
from aichat_server.providers.gateway.chat_completions_request import params
from aichat_server.providers.gateway.heads import RequestHead
from aichat_server.providers.gateway.raw import RawStreamProvider
from aichat_server.providers.gateway.tick import Tick
from aichat_server.providers.gateway.transport import Transport


class ChatCompletionsProvider(RawStreamProvider):
    """A compatible endpoint: one whose configuration says so; or OpenAI itself, by its older API."""

    def __init__(self, config: ProviderConfig, tick: Tick, transport: Transport | None = None) -> None:
        super().__init__(config, tick, transport)
        self._compatible = config.openai_compatible
        self._searching = config.searching_models
        # Other endpoints in its place may refuse fields that they do not know.
        self._caches = config.base_url is None
        self._client = openai.AsyncOpenAI(
            api_key=config.api_key, base_url=config.base_url, max_retries=0, http_client=self._heads.client
        )

    def speaks(self, api: VendorApi) -> bool:
        """See BaseAIProvider.speaks."""
        return api is VendorApi.CHAT_COMPLETIONS

    async def _ask_sdk(self, model: str) -> None:
        asked: CompletionCreateParamsStreaming = {"model": model, "messages": [], "stream": True}
        async with self._client.chat.completions.with_streaming_response.create(**asked):
            """Only its request is needed."""

    async def embed(self, request: EmbeddingRequest) -> EmbeddingAnswer:
        """See BaseAIProvider.embed. An endpoint that knows no base64 may answer with numbers."""
        asked: dict[str, object] = {"model": request.model, "input": request.inputs, "encoding_format": "base64"}
        if request.dimensions is not None:
            asked["dimensions"] = request.dimensions
        find_head, body = partial(self._embedding_head, request.model), msgspec.json.encode(asked)
        content = await self._fetch(find_head, body, request.model, most_bytes=vectors.LONGEST_ANSWER_BYTES)
        told, found = vectors.read(content, _Embeddings, _in_order, request, self.name)
        return vectors.answer(found, request, told.usage, "prompt_tokens", "total_tokens")

    async def _embedding_head(self, model: str) -> RequestHead:
        head = await self._heads.get(model, self._ask_sdk)
        return replace(head, url=head.url.with_path(head.url.path.removesuffix("chat/completions") + "embeddings"))

    def _body(self, request: ProviderRequest) -> CompletionCreateParamsStreaming:
        return params(request, self.name, compatible=self._compatible, caches=self._caches)

    def _reader(self, request: ProviderRequest) -> AnswerReader:
        return self.reader(request)

    def reader(self, request: ProviderRequest) -> ChatCompletionsReader:
        """Returns a reader of an answer to `request`."""
        return ChatCompletionsReader(self.name, request, searches=request.model in self._searching)


class _Embedding(msgspec.Struct):
    index: int
    embedding: str | list[float]


class _Embeddings(msgspec.Struct):
    data: list[_Embedding]
    usage: dict[str, Any] = msgspec.field(default_factory=dict)


def _in_order(told: _Embeddings) -> list[str | list[float]]:
    if [one.index for one in told.data] != list(range(len(told.data))):
        told.data.sort(key=lambda one: one.index)
    return [one.embedding for one in told.data]
