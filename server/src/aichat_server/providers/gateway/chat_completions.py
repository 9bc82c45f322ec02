"""Vendors that speak OpenAI's Chat Completions."""

from __future__ import annotations

import openai
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.gateway.answer import AnswerReader
from aichat_server.providers.gateway.base import ProviderConfig
from aichat_server.providers.gateway.chat_completions_reader import ChatCompletionsReader
from aichat_server.providers.gateway.chat_completions_request import params
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

    async def _ask_sdk(self, model: str) -> None:
        asked: CompletionCreateParamsStreaming = {"model": model, "messages": [], "stream": True}
        async with self._client.chat.completions.with_streaming_response.create(**asked):
            """Only its request is needed."""

    def _body(self, request: ProviderRequest) -> CompletionCreateParamsStreaming:
        return params(request, self.name, compatible=self._compatible, caches=self._caches)

    def _reader(self, request: ProviderRequest) -> AnswerReader:
        return self.reader(request)

    def reader(self, request: ProviderRequest) -> ChatCompletionsReader:
        """Returns a reader of an answer to `request`."""
        return ChatCompletionsReader(self.name, request, searches=request.model in self._searching)
