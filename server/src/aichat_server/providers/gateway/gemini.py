"""Gemini, with Google's Generative Language API."""

from __future__ import annotations

from collections.abc import Mapping

from google import genai
from google.genai import types

from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.gateway import gemini_request
from aichat_server.providers.gateway.answer import AnswerReader
from aichat_server.providers.gateway.base import ProviderConfig
from aichat_server.providers.gateway.gemini_reader import GeminiReader
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

    async def _ask_sdk(self, model: str) -> None:
        async for _ in await self._client.aio.models.generate_content_stream(model=model, contents=""):
            """Only its request is needed."""

    def _body(self, request: ProviderRequest) -> Mapping[str, object]:
        return gemini_request.body(request, self.name)

    def _reader(self, request: ProviderRequest) -> AnswerReader:
        return GeminiReader(self.name, request)
