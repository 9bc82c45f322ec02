"""OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from functools import partial
from typing import TypeAlias

import msgspec
import openai
import structlog
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

from aichat_server.core.errors import AichatError, Reason
from aichat_server.providers.domain.events import ProviderEvent
from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.domain.verbatim import VendorApi
from aichat_server.providers.gateway import failures, responses_request
from aichat_server.providers.gateway.answer import AnswerReader
from aichat_server.providers.gateway.base import ProviderConfig
from aichat_server.providers.gateway.either_reader import EitherReader
from aichat_server.providers.gateway.raw import RawStreamProvider
from aichat_server.providers.gateway.responses_reader import ResponsesReader
from aichat_server.providers.gateway.tick import Tick
from aichat_server.providers.gateway.transport import PreparedPost, StatusError, Transport

_log = structlog.get_logger()

ReadCompletion: TypeAlias = Callable[[ProviderRequest], AnswerReader]


class ResponsesProvider(RawStreamProvider):
    """OpenAI itself, or an endpoint that has this API too."""

    def __init__(
        self, config: ProviderConfig, tick: Tick, transport: Transport, read_completion: ReadCompletion
    ) -> None:
        """`read_completion` returns the reader of an answer that is a completion."""
        super().__init__(config, tick, transport)
        self._read_completion = read_completion
        self._summarizes: bool | None = None
        """Whether the account gets summaries of reasoning, as verified ones do; None until it is known."""
        self._client = openai.AsyncOpenAI(
            api_key=config.api_key, base_url=config.base_url, max_retries=0, http_client=self._heads.client
        )

    def stream(
        self, request: ProviderRequest, prepared: PreparedPost | None = None
    ) -> AsyncGenerator[ProviderEvent, None]:
        """See BaseAIProvider.stream."""
        is_known = self._summarizes is not None or not request.reasons or request.prompt.sent is not None
        return super().stream(request, prepared) if is_known else self._first_stream(request, prepared)

    async def _first_stream(
        self, request: ProviderRequest, prepared: PreparedPost | None
    ) -> AsyncGenerator[ProviderEvent, None]:
        """Asks with summaries and, if OpenAI refuses those, once more without."""
        try:
            async with aclosing(super().stream(request, prepared)) as events:
                async for event in events:
                    self._summarizes = True
                    yield event
        except AichatError as error:
            if self._summarizes is not None or not _is_about_summaries(error):
                raise
        else:
            return
        self._summarizes = False
        _log.warning("account gets no summaries of reasoning until it is verified", provider=self.name)
        async with aclosing(super().stream(request)) as events:
            async for event in events:
                yield event

    async def count_tokens(self, request: ProviderRequest) -> int | None:
        """See BaseAIProvider.count_tokens."""
        find_head = partial(self._heads.get, "input_tokens", self._ask_sdk_for_count)
        answer = await self._ask(find_head, responses_request.asked(request, self.name), request)
        try:
            return msgspec.json.decode(answer, type=_Count).input_tokens
        except msgspec.MsgspecError as error:
            raise failures.failure(Reason.PROVIDER_UNAVAILABLE, self.name, request.model) from error

    def speaks(self, api: VendorApi) -> bool:
        """See BaseAIProvider.speaks."""
        return api is VendorApi.RESPONSES

    async def _ask_sdk_for_count(self, _: str) -> None:
        await self._client.responses.input_tokens.with_raw_response.count()

    async def _ask_sdk(self, model: str) -> None:
        asked: ResponseCreateParamsStreaming = {"model": model, "input": [], "stream": True}
        async with self._client.responses.with_streaming_response.create(**asked):
            """Only its request is needed."""

    def _body(self, request: ProviderRequest) -> ResponseCreateParamsStreaming:
        return responses_request.params(request, self.name, summaries=self._summarizes is not False)

    def _reader(self, request: ProviderRequest) -> AnswerReader:
        return EitherReader(ResponsesReader(self.name, request), partial(self._read_completion, request))


def _is_about_summaries(error: AichatError) -> bool:
    cause = error.__cause__
    told = cause.body.get("error") if isinstance(cause, StatusError) else None
    return isinstance(told, Mapping) and told.get("param") == "reasoning.summary"


class _Count(msgspec.Struct):
    input_tokens: int
