"""OpenAI's Responses API."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeAlias

import openai
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.gateway.answer import AnswerReader
from aichat_server.providers.gateway.base import ProviderConfig
from aichat_server.providers.gateway.either_reader import EitherReader
from aichat_server.providers.gateway.raw import RawStreamProvider
from aichat_server.providers.gateway.responses_reader import ResponsesReader
from aichat_server.providers.gateway.responses_request import params
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

    async def _ask_sdk(self, model: str) -> None:
        asked: ResponseCreateParamsStreaming = {"model": model, "input": [], "stream": True}
        async with self._client.responses.with_streaming_response.create(**asked):
            """Only its request is needed."""

    def _body(self, request: ProviderRequest) -> ResponseCreateParamsStreaming:
        return params(request, self.name, summaries=True)

    def _reader(self, request: ProviderRequest) -> AnswerReader:
        return EitherReader(ResponsesReader(self.name, request), partial(self._read_completion, request))
