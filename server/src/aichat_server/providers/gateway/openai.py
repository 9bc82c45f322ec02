"""OpenAI: by its Responses API or, where an endpoint lacks that, by Chat Completions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from weakref import WeakSet

import aiohttp
import structlog

from aichat_server.core.errors import AichatError, Reason
from aichat_server.providers.domain.embeddings import EmbeddingAnswer, EmbeddingRequest
from aichat_server.providers.domain.events import ProviderEvent
from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.domain.verbatim import VendorApi
from aichat_server.providers.gateway.answer import AnswerReader
from aichat_server.providers.gateway.base import BaseAIProvider, OpenAIApi, ProviderConfig
from aichat_server.providers.gateway.chat_completions import ChatCompletionsProvider
from aichat_server.providers.gateway.responses import ResponsesProvider
from aichat_server.providers.gateway.tick import Tick
from aichat_server.providers.gateway.transport import PreparedPost, StatusError, Transport

_log = structlog.get_logger()

LACKING = (404, 405, 501)
"""What endpoints answer to a path that they do not know."""


class OpenAIProvider(BaseAIProvider):
    """OpenAI, or an endpoint that takes its place; which of the two APIs that has is found out if nobody says so."""

    def __init__(self, config: ProviderConfig, tick: Tick) -> None:
        super().__init__(config)
        transport = Transport(connect_seconds=config.connect_seconds)
        self._completions = ChatCompletionsProvider(config, tick, transport)
        self._responses = ResponsesProvider(config, tick, transport, self._read_completion)
        # OpenAI itself has both.
        self._api = config.openai_api or (OpenAIApi.RESPONSES if config.base_url is None else None)
        """None while it is not known."""
        # Every endpoint in OpenAI's place has the older API.
        self._spoken = {VendorApi.CHAT_COMPLETIONS}
        if self._api is OpenAIApi.RESPONSES:
            self._spoken.add(VendorApi.RESPONSES)
        self._for_completions = WeakSet[PreparedPost]()

    def speaks(self, api: VendorApi) -> bool:
        """See BaseAIProvider.speaks. What is found out later does not count, so that all replicas agree."""
        return api in self._spoken

    def prepare(self, model: str, *, reasons: bool, api: VendorApi | None = None) -> PreparedPost:
        """See BaseAIProvider.prepare."""
        if self._asked_api(api) is not OpenAIApi.CHAT_COMPLETIONS:
            return self._responses.prepare(model, reasons=reasons)
        post = self._completions.prepare(model, reasons=reasons)
        self._for_completions.add(post)
        return post

    def stream(
        self, request: ProviderRequest, prepared: PreparedPost | None = None
    ) -> AsyncGenerator[ProviderEvent, None]:
        """See BaseAIProvider.stream."""
        sent = request.prompt.sent
        match self._asked_api(sent.api if sent is not None else None):
            case None:
                return self._first_stream(request, prepared)
            case OpenAIApi.RESPONSES:
                return self._responses.stream(request, prepared)
            case OpenAIApi.CHAT_COMPLETIONS:
                if prepared is not None and prepared not in self._for_completions:
                    prepared.close()
                    prepared = None
                return self._completions.stream(request, prepared)

    def _asked_api(self, api: VendorApi | None) -> OpenAIApi | None:
        """Returns by which API a request is made; None if that is to be found out."""
        return OpenAIApi(api.value) if api is not None else self._api

    async def count_tokens(self, request: ProviderRequest) -> int | None:
        """See BaseAIProvider.count_tokens. Only the Responses API counts."""
        if self._api is OpenAIApi.CHAT_COMPLETIONS:
            return None
        try:
            return await self._responses.count_tokens(request)
        except AichatError as error:
            if self._api is not None or not _is_lacking(error):
                raise
            return None

    async def embed(self, request: EmbeddingRequest) -> EmbeddingAnswer:
        """See BaseAIProvider.embed."""
        return await self._completions.embed(request)

    async def aclose(self) -> None:
        """See BaseAIProvider.aclose. Both APIs are asked over the same connections."""
        await self._responses.aclose()

    async def _first_stream(
        self, request: ProviderRequest, prepared: PreparedPost | None
    ) -> AsyncGenerator[ProviderEvent, None]:
        """Asks by Responses and, if the endpoint lacks that, once more by Chat Completions."""
        try:
            async with aclosing(self._responses.stream(request, prepared)) as events:
                async for event in events:
                    self._settle(OpenAIApi.RESPONSES)
                    yield event
        except AichatError as error:
            if self._api is not None or not _is_lacking(error):
                raise
        else:
            return
        async with aclosing(self._completions.stream(request)) as events:
            try:
                async for event in events:
                    self._settle(OpenAIApi.CHAT_COMPLETIONS)
                    yield event
            except AichatError as error:
                if not _is_lacking(error):
                    self._settle(OpenAIApi.CHAT_COMPLETIONS)
                raise

    def _read_completion(self, request: ProviderRequest) -> AnswerReader:
        """Returns the reader of an answer to a Responses request that is a completion."""
        self._settle(OpenAIApi.CHAT_COMPLETIONS)
        return self._completions.reader(request)

    def _settle(self, api: OpenAIApi) -> None:
        """Keeps to the API that the endpoint is found to have."""
        if self._api is None:
            self._api = api
            if api is OpenAIApi.CHAT_COMPLETIONS:
                _log.warning("endpoint lacks the Responses API, and is asked by Chat Completions", provider=self.name)


def _is_lacking(error: AichatError) -> bool:
    """Whether an endpoint does not know what it was asked, or has closed the connection without any response."""
    cause = error.__cause__
    if isinstance(cause, StatusError):
        return cause.status in LACKING
    # An endpoint that refuses the connection lacks more than this.
    closed = isinstance(cause, aiohttp.ClientConnectionError) and not isinstance(cause, aiohttp.ClientConnectorError)
    return closed and error.reason is Reason.PROVIDER_UNAVAILABLE
