"""OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import msgspec
import openai
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

from aichat_server.core.errors import Reason
from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.gateway import failures, responses_request
from aichat_server.providers.gateway.answer import AnswerReader
from aichat_server.providers.gateway.base import ProviderConfig
from aichat_server.providers.gateway.either_reader import EitherReader
from aichat_server.providers.gateway.raw import RawStreamProvider
from aichat_server.providers.gateway.responses_reader import ResponsesReader
from aichat_server.providers.gateway.tick import Tick
from aichat_server.providers.gateway.transport import Transport

ReadCompletion: TypeAlias = Callable[[ProviderRequest], AnswerReader]


class ResponsesProvider(RawStreamProvider):
    """OpenAI itself, or an endpoint that has this API too."""

    def __init__(
        self, config: ProviderConfig, tick: Tick, transport: Transport, read_completion: ReadCompletion
    ) -> None:
        """`read_completion` returns the reader of an answer that is a completion."""
        super().__init__(config, tick, transport)
        self._read_completion = read_completion
        self._client = openai.AsyncOpenAI(
            api_key=config.api_key, base_url=config.base_url, max_retries=0, http_client=self._heads.client
        )

    async def count_tokens(self, request: ProviderRequest) -> int | None:
        """See BaseAIProvider.count_tokens."""
        find_head = partial(self._heads.get, "input_tokens", self._ask_sdk_for_count)
        answer = await self._ask(find_head, responses_request.asked(request, self.name), request)
        try:
            return msgspec.json.decode(answer, type=_Count).input_tokens
        except msgspec.MsgspecError as error:
            raise failures.failure(Reason.PROVIDER_UNAVAILABLE, self.name, request.model) from error

    async def _ask_sdk_for_count(self, _: str) -> None:
        await self._client.responses.input_tokens.with_raw_response.count()

    async def _ask_sdk(self, model: str) -> None:
        asked: ResponseCreateParamsStreaming = {"model": model, "input": [], "stream": True}
        async with self._client.responses.with_streaming_response.create(**asked):
            """Only its request is needed."""

    def _body(self, request: ProviderRequest) -> ResponseCreateParamsStreaming:
        return responses_request.params(request, self.name, summaries=True)

    def _reader(self, request: ProviderRequest) -> AnswerReader:
        return EitherReader(ResponsesReader(self.name, request), partial(self._read_completion, request))


class _Count(msgspec.Struct):
    input_tokens: int
