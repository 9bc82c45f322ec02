"""Claude, with Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import anthropic
import msgspec

from aichat_server.core.errors import Reason
from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.domain.verbatim import SentRequest, VendorApi
from aichat_server.providers.gateway import claude_request, failures
from aichat_server.providers.gateway.answer import AnswerReader
from aichat_server.providers.gateway.base import ProviderConfig
from aichat_server.providers.gateway.claude_reader import ClaudeReader
from aichat_server.providers.gateway.claude_request import BINDING_BETA
from aichat_server.providers.gateway.claude_terms import is_tied
from aichat_server.providers.gateway.raw import RawStreamProvider
from aichat_server.providers.gateway.tick import Tick
from aichat_server.providers.gateway.transport import NO_OTHERS, FindHead, OtherHeaders

BETAS, VERSION = "anthropic-beta", "anthropic-version"
FIRST = "2023-06-01"
"""The version that takes sampling parameters: older models have no other."""


class ClaudeProvider(RawStreamProvider):
    """Anthropic."""

    def __init__(self, config: ProviderConfig, tick: Tick) -> None:
        super().__init__(config, tick)
        self._client = anthropic.AsyncAnthropic(
            api_key=config.api_key, base_url=config.base_url, max_retries=0, http_client=self._heads.client
        )

    async def count_tokens(self, request: ProviderRequest) -> int | None:
        """See BaseAIProvider.count_tokens."""
        model = request.model
        answer = await self._ask(self._find_count_head(model), claude_request.counting(request, self.name), request)
        try:
            return msgspec.json.decode(answer, type=_Count).input_tokens
        except msgspec.MsgspecError as error:
            raise failures.failure(Reason.PROVIDER_UNAVAILABLE, self.name, model) from error

    def speaks(self, api: VendorApi) -> bool:
        """See BaseAIProvider.speaks."""
        return api is VendorApi.MESSAGES

    async def count_as_sent(self, sent: SentRequest, model: str) -> bytes:
        """See BaseAIProvider.count_as_sent."""
        return await self._count_as_sent(self._find_count_head(model), sent, model)

    def _headers(self, request: ProviderRequest) -> OtherHeaders:
        return {VERSION: FIRST} if claude_request.sampling(request) else NO_OTHERS

    def _sent_headers(self, sent: SentRequest) -> OtherHeaders:
        # The caller's betas alone: ours are for requests that this server writes.
        return {BETAS: None, **sent.headers}

    def _find_count_head(self, model: str) -> FindHead:
        return partial(self._heads.get, f"{model} count_tokens", lambda _: self._ask_sdk_for_count(model))

    async def _ask_sdk(self, model: str) -> None:
        if is_tied(model):
            asked = self._client.beta.messages.with_streaming_response.create(
                model=model, messages=[], max_tokens=1, stream=True, betas=[BINDING_BETA]
            )
            async with asked:
                return
        async with self._client.messages.with_streaming_response.create(
            model=model, messages=[], max_tokens=1, stream=True
        ):
            """Only its request is needed."""

    async def _ask_sdk_for_count(self, model: str) -> None:
        if is_tied(model):
            await self._client.beta.messages.with_raw_response.count_tokens(
                model=model, messages=[], betas=[BINDING_BETA]
            )
        else:
            await self._client.messages.with_raw_response.count_tokens(model=model, messages=[])

    def _body(self, request: ProviderRequest) -> Mapping[str, object]:
        return claude_request.answering(request, self.name)

    def _reader(self, request: ProviderRequest) -> AnswerReader:
        return ClaudeReader(self.name, request)


class _Count(msgspec.Struct):
    input_tokens: int
