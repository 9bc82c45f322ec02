"""OpenAI, and whoever speaks its Chat Completions."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import openai
from openai.types.chat import ChatCompletionMessageParam
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from aichat_server.domain.chat import ProviderRequest, ReasoningEffort
from aichat_server.domain.conversations import Role
from aichat_server.domain.events import ProviderEvent, StopReason
from aichat_server.domain.usage import Usage
from aichat_server.providers import failures, prompt
from aichat_server.providers.answer import AnswerReader, decoded
from aichat_server.providers.base import ProviderConfig
from aichat_server.providers.raw import RawStreamProvider
from aichat_server.providers.transport import body_of

# The models that can leave reasoning out altogether; the least that the others take is "low".
MAY_NOT_REASON = ("gpt-5.", "gpt-6-luna", "gpt-6-sol", "gpt-6.1-terra")

STOPS = {"length": StopReason.MAX_TOKENS}


class OpenAIProvider(RawStreamProvider):
    """OpenAI itself, or a compatible endpoint: one whose configuration says so."""

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        self._compatible = config.openai_compatible
        self._client = openai.AsyncOpenAI(
            api_key=config.api_key, base_url=config.base_url, max_retries=0, http_client=self._http
        )

    @asynccontextmanager
    async def _open(self, request: ProviderRequest) -> AsyncGenerator[aiohttp.StreamReader]:
        params = _params(request, compatible=self._compatible)
        # The SDK searches every field of every message for what it might have to rename; an extra body goes as it is.
        extra = {"messages": _messages(request)}
        async with self._client.chat.completions.with_streaming_response.create(**params, extra_body=extra) as response:
            yield body_of(response.http_response)

    def _reader(self, request: ProviderRequest) -> AnswerReader:
        return OpenAIReader(self.name, request)


class OpenAIReader(AnswerReader):
    """Reads the chunks of a completion."""

    def event(self, data: bytes) -> tuple[ProviderEvent, ...]:
        """See AnswerReader.event."""
        if data == b"[DONE]":
            self.ended = True
            return ()
        chunk = decoded(_CHUNKS, data)
        if chunk.error is not None:
            raise failures.from_event(chunk.error, self.provider, self.request.model)
        if chunk.usage is not None:
            self.raw = chunk.usage
        events = self._choice(chunk.choices[0]) if chunk.choices else ()
        # Some endpoints count on in every chunk: what they say before the end is not the whole.
        self.counted = self.counted or (chunk.usage is not None and self.stop is not None)
        return events

    def usage(self) -> Usage:
        """Cached tokens are a part of OpenAI's input, and reasoning is a part of its output."""
        asked = self.raw.get("prompt_tokens_details") or {}
        answered = self.raw.get("completion_tokens_details") or {}
        read, written = asked.get("cached_tokens") or 0, asked.get("cache_write_tokens") or 0
        return Usage(
            input=max((self.raw.get("prompt_tokens") or 0) - read - written, 0),
            cache_read=read,
            cache_write=written,
            output=self.raw.get("completion_tokens") or 0,
            reasoning=answered.get("reasoning_tokens") or 0,
        )

    def _choice(self, choice: _Choice) -> tuple[ProviderEvent, ...]:
        if choice.finish_reason is not None:
            self.refused = self.refused or choice.finish_reason == "content_filter"
            self.stop = STOPS.get(choice.finish_reason, StopReason.END_TURN)
        return self._delta(choice.delta) if choice.delta is not None else ()

    def _delta(self, delta: _Delta) -> tuple[ProviderEvent, ...]:
        if delta.refusal:
            self.refused = True
        reasoning = delta.reasoning_content or delta.reasoning
        thought = self.reasoning(reasoning) if isinstance(reasoning, str) else ()
        return thought + self.text(delta.content) if delta.content else thought


class _Delta(msgspec.Struct):
    content: str | None = None
    refusal: str | None = None
    # Compatible endpoints show reasoning under one of these names.
    reasoning_content: str | None = None
    reasoning: Any = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_CHUNKS = msgspec.json.Decoder(_Chunk)


def _params(request: ProviderRequest, *, compatible: bool) -> CompletionCreateParamsStreaming:
    params: CompletionCreateParamsStreaming = {
        "model": request.model,
        "messages": [],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    # OpenAI's reasoning models refuse the old name of the limit, compatible endpoints know no other.
    params["max_tokens" if compatible else "max_completion_tokens"] = request.max_output_tokens
    if request.temperature is not None:
        params["temperature"] = request.temperature
    if request.stop:
        params["stop"] = list(request.stop)
    if request.reasoning_effort is not None:
        params["reasoning_effort"] = _effort(request.model, request.reasoning_effort)
    return params


def _messages(request: ProviderRequest) -> list[ChatCompletionMessageParam]:
    messages: list[ChatCompletionMessageParam] = []
    if system := prompt.system_prompt(request):
        messages.append({"role": "system", "content": system})
    for message in prompt.said(request):
        if message.role is Role.USER:
            messages.append({"role": "user", "content": message.text})
        else:
            messages.append({"role": "assistant", "content": message.text})
    return messages


def _effort(model: str, effort: ReasoningEffort) -> openai.types.ReasoningEffort:
    if effort is ReasoningEffort.NONE and not model.startswith(MAY_NOT_REASON):
        return "low"
    return effort.value
