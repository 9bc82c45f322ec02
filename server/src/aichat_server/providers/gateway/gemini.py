"""Gemini, with Google's Generative Language API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec
from google import genai
from google.genai import types

from aichat_server.core.errors import Reason
from aichat_server.providers.domain.embeddings import EmbeddingAnswer, EmbeddingRequest
from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.gateway import failures, gemini_request, vectors
from aichat_server.providers.gateway.answer import AnswerReader
from aichat_server.providers.gateway.base import ProviderConfig
from aichat_server.providers.gateway.gemini_reader import GeminiReader
from aichat_server.providers.gateway.heads import RequestHead
from aichat_server.providers.gateway.raw import RawStreamProvider
from aichat_server.providers.gateway.tick import Tick


class GeminiProvider(RawStreamProvider):
    """Google."""

    def __init__(self, config: ProviderConfig, tick: Tick) -> None:
        super().__init__(config, tick)
        options = types.HttpOptions(
            base_url=config.base_url,
            httpx_async_client=self._heads.client,
            retry_options=types.HttpRetryOptions(attempts=1),
        )
        self._client = genai.Client(api_key=config.api_key, vertexai=False, http_options=options)

    async def count_tokens(self, request: ProviderRequest) -> int | None:
        """See BaseAIProvider.count_tokens."""
        body = {"model": f"models/{request.model}", **self._body(request)}
        find_head = partial(self._head_of, "countTokens", request.model)
        answer = await self._ask(find_head, {"generateContentRequest": body}, request)
        try:
            return msgspec.json.decode(answer, type=_Count).tokens
        except msgspec.MsgspecError as error:
            raise failures.failure(Reason.PROVIDER_UNAVAILABLE, self.name, request.model) from error

    async def embed(self, request: EmbeddingRequest) -> EmbeddingAnswer:
        """See BaseAIProvider.embed. It takes 100 inputs at most."""
        wanted = {"taskType": request.task, "outputDimensionality": request.dimensions}
        options = {name: value for name, value in wanted.items() if value is not None}
        shared = {"model": f"models/{request.model}", **options}
        asked = [{**shared, "content": {"parts": [{"text": text}]}} for text in request.inputs]
        find_head = partial(self._head_of, "batchEmbedContents", request.model)
        body = msgspec.json.encode({"requests": asked})
        content = await self._fetch(find_head, body, request.model, most_bytes=vectors.LONGEST_ANSWER_BYTES)
        told, found = vectors.read(content, _Embeddings, _values, request, self.name)
        return vectors.answer(found, request, told.usage, "promptTokenCount", "totalTokenCount")

    async def _head_of(self, method: str, model: str) -> RequestHead:
        """Returns the head of a request of another method: the SDK would count a conversation without its tools."""
        head = await self._heads.get(model, self._ask_sdk)
        path = head.url.path.removesuffix("streamGenerateContent") + method
        return replace(head, url=head.url.with_path(path))

    async def _ask_sdk(self, model: str) -> None:
        async for _ in await self._client.aio.models.generate_content_stream(model=model, contents=""):
            """Only its request is needed."""

    def _body(self, request: ProviderRequest) -> Mapping[str, object]:
        return gemini_request.body(request, self.name)

    def _reader(self, request: ProviderRequest) -> AnswerReader:
        return GeminiReader(self.name, request)


class _Count(msgspec.Struct):
    tokens: int = msgspec.field(name="totalTokens")


class _Embedding(msgspec.Struct):
    values: list[float]


class _Embeddings(msgspec.Struct):
    embeddings: list[_Embedding]
    usage: dict[str, Any] = msgspec.field(name="usageMetadata", default_factory=dict)


def _values(told: _Embeddings) -> list[list[float]]:
    return [one.values for one in told.embeddings]
