"""Claude, with Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, assert_never

import anthropic
import msgspec
from anthropic.types import MessageParam, OutputConfigParam, ThinkingConfigParam
from anthropic.types.message_create_params import MessageCreateParamsStreaming

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

# How to minimize thinking: some models cannot turn it off, and one has its own option for that.
ALWAYS_THINKS = ("claude-opus-5-5", "claude-fable-", "claude-mythos-")
THINKS_BETWEEN_TOOLS = ("claude-sonnet-5-5",)
# These think by default; others think only when the request says how much.
THINKS_BY_DEFAULT = ("claude-opus-5", "claude-sonnet-5", "claude-haiku-5", *ALWAYS_THINKS)

# Anthropic charges a tenth more for tokens if only machines in the US may answer, and says so in each answer.
DEARER_REGIONS = {"us": 110}

STOPS = {
    "end_turn": StopReason.END_TURN,
    "max_tokens": StopReason.MAX_TOKENS,
    "model_context_window_exceeded": StopReason.MAX_TOKENS,
    "stop_sequence": StopReason.STOP_SEQUENCE,
}


class ClaudeProvider(RawStreamProvider):
    """Anthropic. Its API accepts no temperature."""

    def __init__(self, config: ProviderConfig, tick: Tick) -> None:
        super().__init__(config, tick)
        self._client = anthropic.AsyncAnthropic(
            api_key=config.api_key, base_url=config.base_url, max_retries=0, http_client=self._heads.client
        )

    async def _ask_sdk(self, model: str) -> None:
        params: MessageCreateParamsStreaming = {"model": model, "messages": [], "max_tokens": 1, "stream": True}
        async with self._client.messages.with_streaming_response.create(**params):
            """Only its request is needed."""

    def _body(self, request: ProviderRequest) -> MessageCreateParamsStreaming:
        return _params(request)

    def _reader(self, request: ProviderRequest) -> AnswerReader:
        return ClaudeReader(self.name, request)


class ClaudeReader(AnswerReader):
    """Reads the events of a message."""

    FIGURES: ClassVar[Mapping[str, Path]] = {
        "input": ("input_tokens",),
        "cache_read": ("cache_read_input_tokens",),
        "cache_write": ("cache_creation_input_tokens",),
        "cache_write_5m": ("cache_creation", "ephemeral_5m_input_tokens"),
        "cache_write_1h": ("cache_creation", "ephemeral_1h_input_tokens"),
        "output": ("output_tokens",),
        "reasoning": ("output_tokens_details", "thinking_tokens"),
        "searches": ("server_tool_use", "web_search_requests"),
    }

    WRITTEN: ClassVar[frozenset[str]] = frozenset({"output"})

    _refused = False
    _guessed = False
    _opened = False

    def event(self, data: bytes) -> tuple[ProviderEvent, ...]:
        """See AnswerReader.event."""
        event = decoded(_EVENTS, data)
        delta = event.delta
        if event.type == "content_block_delta" and delta is not None:
            if delta.type == "text_delta":
                return self.text(delta.text or "")
            return self.reasoning(delta.thinking or "") if delta.type == "thinking_delta" else ()
        if event.type == "message_start" and event.message is not None:
            self.count(event.message.usage, final=False)
            self._opened = self._guessed = True
            return (self.report(),)
        if event.type == "message_delta" and delta is not None:
            self._unguess(event.usage)
            self.count(event.usage)
            self._end(delta.stop_reason)
        elif event.type == "message_stop":
            self.ended = True
        elif event.type == "error":
            self.broken_off(event.error)
        return ()

    def usage(self) -> Usage:
        """Anthropic's counts do not overlap, and thinking is part of output.

        Only the first report says for how long the cache was written; later writes count as the shorter kind, which is
        the default.
        """
        told = self.figures
        written = told["cache_write"] or told["cache_write_5m"] + told["cache_write_1h"]
        written_1h = min(told["cache_write_1h"], written)
        region = told.raw.get("inference_geo")
        percent = DEARER_REGIONS.get(region, 100) if isinstance(region, str) else 100
        return Usage(
            input=told["input"],
            cache_read=told["cache_read"],
            cache_write=written - written_1h,
            cache_write_1h=written_1h,
            output=told["output"],
            reasoning=told["reasoning"],
            web_searches=told["searches"],
            # It does not charge for a refusal before the first word of output.
            percent=0 if self._refused and not told["output"] and not self._output_bytes else percent,
        )

    def has_input(self, usage: Usage) -> bool:
        """Whether the input was counted: by the first report or, without one, by the last."""
        return usage.total_input > 0 or not self._opened

    def _unguess(self, usage: object) -> None:
        """Replaces the first report's output, which was not a count, by the first real count."""
        if self._guessed and isinstance(usage, Mapping) and usage.get("output_tokens") is not None:
            self._guessed = False
            self.figures.drop("output")

    def _end(self, stop_reason: str | None) -> None:
        if stop_reason == "refusal":
            self._refused, self.fault = True, self.failure(Reason.ANSWER_REFUSED)
        elif stop_reason:
            # All others are about a turn that would continue: with tools, which are not offered, or in another request.
            self.stop = STOPS.get(stop_reason, StopReason.OTHER)


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    stop_reason: str | None = None


class _Message(msgspec.Struct):
    usage: Any = None


class _Event(msgspec.Struct):
    type: str
    delta: _Delta | None = None
    message: _Message | None = None
    usage: Any = None
    error: Any = None


_EVENTS = msgspec.json.Decoder(_Event)


def _params(request: ProviderRequest) -> MessageCreateParamsStreaming:
    params: MessageCreateParamsStreaming = {
        "model": request.model,
        "max_tokens": request.max_output_tokens,
        "messages": _messages(request),
        "stream": True,
        # Capacity bought ahead has other prices, and nobody requests it here.
        "service_tier": "standard_only",
    }
    if system := prompt.system_prompt(request):
        params["system"] = system
    if request.options.stop:
        params["stop_sequences"] = list(request.options.stop)
    if thinking := _thinking(request):
        params["thinking"] = thinking
    if effort := _effort(request):
        params["output_config"] = effort
    return params


def _messages(request: ProviderRequest) -> list[MessageParam]:
    messages: list[MessageParam] = []
    for message in prompt.said(request, ""):
        match message.role:
            case Role.USER:
                messages.append({"role": "user", "content": message.text})
            case Role.ASSISTANT:
                messages.append({"role": "assistant", "content": message.text})
            case _:
                assert_never(message.role)
    return messages


def _thinking(request: ProviderRequest) -> ThinkingConfigParam | None:
    if request.options.reasoning_effort is ReasoningEffort.NONE and not request.model.startswith(ALWAYS_THINKS):
        return {"type": "between_tools"} if request.model.startswith(THINKS_BETWEEN_TOOLS) else {"type": "disabled"}
    if request.options.reasoning_effort or request.model.startswith(THINKS_BY_DEFAULT):
        # Newer models hide their thinking unless a summary is requested.
        return {"type": "adaptive", "display": "summarized"}
    return None


def _effort(request: ProviderRequest) -> OutputConfigParam | None:
    match request.options.reasoning_effort:
        case None:
            return None
        case ReasoningEffort.NONE:
            return {"effort": "low"} if request.model.startswith(ALWAYS_THINKS) else None
        case ReasoningEffort.LOW:
            return {"effort": "low"}
        case ReasoningEffort.MEDIUM:
            return {"effort": "medium"}
        case ReasoningEffort.HIGH:
            return {"effort": "high"}
