"""Gemini, with Google's Generative Language API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec
from google import genai
from google.genai import types

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

ROLES = {Role.USER: "user", Role.ASSISTANT: "model"}
# Before Gemini 3, thinking had another option.
TAKES_NO_LEVEL = ("gemini-1", "gemini-2", "gemma-")
# The lowest level; the lite models have one below the others' "low".
LITE = "flash-lite"
LEVELS = {
    ReasoningEffort.LOW: types.ThinkingLevel.LOW,
    ReasoningEffort.MEDIUM: types.ThinkingLevel.MEDIUM,
    ReasoningEffort.HIGH: types.ThinkingLevel.HIGH,
}

STOPS = {
    "STOP": StopReason.END_TURN,
    "MAX_TOKENS": StopReason.MAX_TOKENS,
    # The answer would continue in another request, which nobody sends.
    "CONTINUATION": StopReason.MAX_TOKENS,
}
REFUSALS = {
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "ESCALATION", "IMAGE_SAFETY",
    "MODEL_ARMOR",
}  # fmt: skip
# The answer ended in the middle, or at a call of tools that are not offered.
FAULTS = ("MALFORMED_", "UNEXPECTED_", "TOO_MANY_")
UNSAID = "FINISH_REASON_UNSPECIFIED"


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
        return _params(request)

    def _reader(self, request: ProviderRequest) -> AnswerReader:
        return GeminiReader(self.name, request)


class GeminiReader(AnswerReader):
    """Reads the chunks of a response."""

    FIGURES: ClassVar[Mapping[str, Path]] = {
        "prompt": ("promptTokenCount",),
        "tools": ("toolUsePromptTokenCount",),
        "cached": ("cachedContentTokenCount",),
        "output": ("candidatesTokenCount",),
        "thoughts": ("thoughtsTokenCount",),
        "total": ("totalTokenCount",),
    }

    WRITTEN: ClassVar[frozenset[str]] = frozenset({"output", "thoughts"})

    def event(self, data: bytes) -> tuple[ProviderEvent, ...]:
        """See AnswerReader.event."""
        chunk = decoded(_CHUNKS, data)
        events = self._candidate(chunk.candidates[0]) if chunk.candidates else ()
        if chunk.feedback and chunk.feedback.block_reason:
            # Nothing follows a blocked prompt.
            self.fault = self.failure(Reason.ANSWER_REFUSED)
        # Each chunk repeats the whole usage; the first is worth a report, the last one counts.
        known = bool(self.figures)
        self.count(chunk.usage, whole=True)
        if self.figures and not known:
            events = (self.report(), *events)
        if chunk.error is not None:
            self.broken_off(chunk.error)
        return events

    def usage(self) -> Usage:
        """Cached tokens are part of Gemini's prompt.

        Thoughts and tool results are separate from it and from the answer.
        """
        told = self.figures
        asked, answer, thoughts = told["prompt"] + told["tools"], told["output"], told["thoughts"]
        cached = min(told["cached"], asked)
        # If the answer itself was not counted, the total may have been.
        uncounted = 0 if answer else max(told["total"] - asked - thoughts, 0)
        return Usage(
            input=asked - cached,
            cache_read=cached,
            output=answer + uncounted + thoughts,
            reasoning=thoughts,
            estimated=cached < told["cached"] or uncounted > 0,
        )

    def has_input(self, usage: Usage) -> bool:
        """Whether the input was counted: Google omits a count of 0, and reportedly the prompt's for files."""
        return usage.total_input > 0 or "prompt" not in self.figures

    def _candidate(self, candidate: _Candidate) -> tuple[ProviderEvent, ...]:
        events: tuple[ProviderEvent, ...] = ()
        for part in (candidate.content.parts if candidate.content else None) or ():
            events += self.reasoning(part.text or "") if part.thought else self.text(part.text or "")
        if candidate.finish and candidate.finish != UNSAID:
            self._end(candidate.finish)
        return events

    def _end(self, reason: str) -> None:
        if reason in REFUSALS:
            self.fault = self.failure(Reason.ANSWER_REFUSED)
        elif reason.startswith(FAULTS):
            self.fault = self.failure(Reason.PROVIDER_STREAM_BROKEN)
        else:
            self.stop = STOPS.get(reason, StopReason.OTHER)


class _Part(msgspec.Struct):
    text: str | None = None
    thought: bool | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct):
    content: _Content | None = None
    finish: str | None = msgspec.field(default=None, name="finishReason")


class _Feedback(msgspec.Struct):
    block_reason: str | None = msgspec.field(default=None, name="blockReason")


class _Chunk(msgspec.Struct):
    candidates: list[_Candidate] | None = None
    usage: Any = msgspec.field(default=None, name="usageMetadata")
    feedback: _Feedback | None = msgspec.field(default=None, name="promptFeedback")
    error: Any = None


_CHUNKS = msgspec.json.Decoder(_Chunk)


def _params(request: ProviderRequest) -> Mapping[str, object]:
    """Returns the body as the SDK writes it."""
    config: dict[str, object] = {"maxOutputTokens": request.max_output_tokens}
    if request.options.temperature is not None:
        config["temperature"] = request.options.temperature
    if request.options.stop:
        config["stopSequences"] = request.options.stop
    if (thinking := _thinking(request)) is not None:
        config["thinkingConfig"] = thinking
    params: dict[str, object] = {
        "contents": [_content(ROLES[message.role], message.text) for message in prompt.said(request, "")],
        "generationConfig": config,
    }
    if system := prompt.system_prompt(request):
        params["systemInstruction"] = _content("user", system)
    return params


def _content(role: str, text: str) -> Mapping[str, object]:
    return {"role": role, "parts": [{"text": text}]}


def _thinking(request: ProviderRequest) -> Mapping[str, object] | None:
    if request.model.startswith(TAKES_NO_LEVEL):
        return None
    level = _level(request)
    return {"include_thoughts": True} | ({"thinking_level": level} if level is not None else {})


def _level(request: ProviderRequest) -> types.ThinkingLevel | None:
    match request.options.reasoning_effort:
        case None:
            return None
        case ReasoningEffort.NONE:
            return types.ThinkingLevel.MINIMAL if LITE in request.model else types.ThinkingLevel.LOW
        case effort:
            return LEVELS[effort]
