"""Gemini, with Google's Generative Language API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import msgspec
from google import genai
from google.genai import types

from aichat_server.core.errors import Reason
from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.gateway import failures, gemini_request
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
        answer = await self._ask(partial(self._counting_head, request.model), {"generateContentRequest": body}, request)
        try:
            return msgspec.json.decode(answer, type=_Count).tokens
        except msgspec.MsgspecError as error:
            raise failures.failure(Reason.PROVIDER_UNAVAILABLE, self.name, request.model) from error

    async def _counting_head(self, model: str) -> RequestHead:
        """Returns the head of a request that only counts: the SDK would count a conversation without its tools."""
        head = await self._heads.get(model, self._ask_sdk)
        path = head.url.path.removesuffix("streamGenerateContent") + "countTokens"
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
