"""OpenAI, and other vendors with its Chat Completions protocol."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, assert_never

import msgspec
import openai
from openai.types.chat import ChatCompletionMessageParam
from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from aichat_server.content.parts import Role
from aichat_server.core.errors import Reason
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import ProviderEvent, StopReason
from aichat_server.providers.domain.requests import ProviderRequest, ReasoningEffort
from aichat_server.providers.gateway import prompt
from aichat_server.providers.gateway.answer import AnswerReader, decoded
from aichat_server.providers.gateway.base import ProviderConfig
from aichat_server.providers.gateway.figures import Path
from aichat_server.providers.gateway.raw import RawStreamProvider
from aichat_server.providers.gateway.tick import Tick

# The models that can turn reasoning off; the lowest level of the others is "low".
MAY_NOT_REASON = ("gpt-5.", "gpt-6-luna", "gpt-6-sol", "gpt-6.1-terra")

STOPS = {
    "stop": StopReason.END_TURN,
    # Hugging Face's servers, and Together's.
    "eos_token": StopReason.END_TURN,
    "eos": StopReason.END_TURN,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "length": StopReason.MAX_TOKENS,
    # Mistral's, if the model's own limit was reached.
    "model_length": StopReason.MAX_TOKENS,
}
FAULTS = {
    "content_filter": Reason.ANSWER_REFUSED,
    # Mistral's and OpenRouter's, vLLM's, and DeepSeek's if it lacks capacity.
    "error": Reason.PROVIDER_STREAM_BROKEN,
    "abort": Reason.PROVIDER_STREAM_BROKEN,
    "insufficient_system_resource": Reason.PROVIDER_OVERLOADED,
}


class OpenAIProvider(RawStreamProvider):
    """OpenAI itself, or a compatible endpoint: one whose configuration says so."""

    def __init__(self, config: ProviderConfig, tick: Tick) -> None:
        super().__init__(config, tick)
        self._compatible = config.openai_compatible
        self._searching = config.searching_models
        self._client = openai.AsyncOpenAI(
            api_key=config.api_key, base_url=config.base_url, max_retries=0, http_client=self._heads.client
        )

    async def _ask_sdk(self, model: str) -> None:
        params: CompletionCreateParamsStreaming = {"model": model, "messages": [], "stream": True}
        async with self._client.chat.completions.with_streaming_response.create(**params):
            """Only its request is needed."""

    def _body(self, request: ProviderRequest) -> CompletionCreateParamsStreaming:
        return _params(request, compatible=self._compatible)

    def _reader(self, request: ProviderRequest) -> AnswerReader:
        return OpenAIReader(self.name, request, searches=request.model in self._searching)


class OpenAIReader(AnswerReader):
    """Reads the chunks of a completion."""

    def __init__(self, provider: str, request: ProviderRequest, *, searches: bool = False) -> None:
        """`searches`: whether the endpoint charges for its searches."""
        super().__init__(provider, request)
        self._searches = searches

    FIGURES: ClassVar[Mapping[str, Path]] = {
        "prompt": ("prompt_tokens",),
        "cached": ("prompt_tokens_details", "cached_tokens"),
        # DeepSeek's name, and Moonshot's.
        "cache_hits": ("prompt_cache_hit_tokens",),
        "cached_beside": ("cached_tokens",),
        "cache_write": ("prompt_tokens_details", "cache_write_tokens"),
        "output": ("completion_tokens",),
        "reasoning": ("completion_tokens_details", "reasoning_tokens"),
        # Perplexity's.
        "reasoning_beside": ("reasoning_tokens",),
        "total": ("total_tokens",),
        # Perplexity's, xAI's, which counts sources, and two of OpenRouter's.
        "searches": ("num_search_queries",),
        "sources": ("num_sources_used",),
        "web_searches": ("server_tool_use", "web_search_requests"),
        "web_searches_beside": ("server_tool_use_details", "web_search_requests"),
    }
    SEARCHES: ClassVar[tuple[str, ...]] = ("searches", "sources", "web_searches", "web_searches_beside")
    WRITTEN: ClassVar[frozenset[str]] = frozenset({"output", "reasoning", "reasoning_beside"})

    def event(self, data: bytes) -> tuple[ProviderEvent, ...]:
        """See AnswerReader.event."""
        if self.ended:
            return ()
        if data.strip() == b"[DONE]":
            self.ended = True
            if self.stop is None and self._answered:
                # Snowflake, and others, only send this.
                self.stop = StopReason.END_TURN
            return ()
        chunk = decoded(_CHUNKS, data)
        events = self._choice(chunk.choices[0]) if chunk.choices else ()
        self.count(chunk.usage)
        if chunk.error:
            self.broken_off(chunk.error)
        return events

    def usage(self) -> Usage:
        """Cached tokens are part of OpenAI's input, and reasoning is part of its output."""
        told = self.figures
        prompt, reasoning = told["prompt"], told["reasoning"] or told["reasoning_beside"]
        hits = told["cached"] or told["cache_hits"] or told["cached_beside"]
        read = min(hits, prompt)
        written = min(told["cache_write"], prompt - read)
        output, is_told = self._output()
        return Usage(
            input=prompt - read - written,
            cache_read=read,
            cache_write=written,
            output=output,
            reasoning=reasoning,
            web_searches=max(told[name] for name in self.SEARCHES) if self._searches else 0,
            estimated=not is_told or read + written < hits + told["cache_write"],
        )

    def _choice(self, choice: _Choice) -> tuple[ProviderEvent, ...]:
        events = self._delta(choice.delta) if choice.delta is not None else ()
        if reason := choice.finish_reason:
            if reason in FAULTS:
                self.fault = self.failure(FAULTS[reason])
            else:
                # An unknown reason does not count as complete; neither does a call of tools, which are not offered.
                self.stop = STOPS.get(reason, StopReason.OTHER)
        return events

    def _delta(self, delta: _Delta) -> tuple[ProviderEvent, ...]:
        if delta.refusal:
            self.fault = self.failure(Reason.ANSWER_REFUSED)
        thought = delta.reasoning_content or delta.reasoning
        events = self.reasoning(thought) if isinstance(thought, str) else ()
        if isinstance(delta.content, str):
            return events + self.text(delta.content)
        for block in delta.content if isinstance(delta.content, list) else ():
            events += self._block(block)
        return events

    def _block(self, block: object) -> tuple[ProviderEvent, ...]:
        """Returns one block of Mistral's content: text, thinking, or a block without text."""
        told = block if isinstance(block, Mapping) else {}
        return self.reasoning(_text(told.get("thinking"))) + self.text(_text(told.get("text")))

    def _output(self) -> tuple[int, bool]:
        """Returns all output tokens, and whether the vendor reported them.

        Reasoning is part of the completion; at xAI it is separate, and the total shows that. Gemini's compatible
        endpoint counts its thoughts only in the total, which is accepted as far as the answer may be that long.
        """
        told = self.figures
        completion, reasoning = told["output"], told["reasoning"] or told["reasoning_beside"]
        rest = told["total"] - told["prompt"] if told["prompt"] else 0
        if rest > completion and rest == completion + reasoning:
            return rest, bool(completion) or not self._answered
        if rest <= 0 and reasoning > completion:
            return completion + reasoning, False
        if completion < rest <= completion + self.request.max_output_tokens:
            return rest, False
        return completion, True


def _text(content: object) -> str:
    """Returns the text of a block: a string, or text blocks again."""
    if isinstance(content, str):
        return content
    blocks = content if isinstance(content, list) else ()
    texts = (block.get("text") for block in blocks if isinstance(block, Mapping))
    return "".join(text for text in texts if isinstance(text, str))


class _Delta(msgspec.Struct):
    content: Any = None
    refusal: str | None = None
    # Compatible endpoints send reasoning under one of these names.
    reasoning_content: Any = None
    reasoning: Any = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    finish_reason: str | None = None


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: Any = None
    error: Any = None


_CHUNKS = msgspec.json.Decoder(_Chunk)


def _params(request: ProviderRequest, *, compatible: bool) -> CompletionCreateParamsStreaming:
    params: CompletionCreateParamsStreaming = {
        "model": request.model,
        "messages": _messages(request),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if not compatible:
        # The price list is for this tier; a project may have set a dearer one.
        params["service_tier"] = "default"
    # OpenAI's reasoning models refuse the limit's old name, compatible endpoints do not know the new one.
    params["max_tokens" if compatible else "max_completion_tokens"] = request.max_output_tokens
    if request.options.temperature is not None:
        params["temperature"] = request.options.temperature
    if request.options.stop:
        params["stop"] = list(request.options.stop)
    if request.options.reasoning_effort is not None:
        params["reasoning_effort"] = _effort(request.model, request.options.reasoning_effort)
    return params


def _messages(request: ProviderRequest) -> list[ChatCompletionMessageParam]:
    messages: list[ChatCompletionMessageParam] = []
    if system := prompt.system_prompt(request):
        messages.append({"role": "system", "content": system})
    for message in prompt.said(request, ""):
        match message.role:
            case Role.USER:
                messages.append({"role": "user", "content": message.text})
            case Role.ASSISTANT:
                messages.append({"role": "assistant", "content": message.text})
            case _:
                assert_never(message.role)
    return messages


def _effort(model: str, effort: ReasoningEffort) -> openai.types.ReasoningEffort:
    if effort is ReasoningEffort.NONE and not model.startswith(MAY_NOT_REASON):
        return "low"
    return effort.value
