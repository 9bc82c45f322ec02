"""Gemini, by Google's Generative Language API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import aiohttp
import msgspec
from google import genai
from google.genai import types

from aichat_server.domain.chat import ProviderRequest, ReasoningEffort
from aichat_server.domain.conversations import Role
from aichat_server.domain.events import ProviderEvent, StopReason
from aichat_server.domain.usage import Usage
from aichat_server.providers import failures, prompt
from aichat_server.providers.answer import AnswerReader, decoded
from aichat_server.providers.base import ProviderConfig
from aichat_server.providers.raw import RawStreamProvider
from aichat_server.providers.transport import claimed_body

ROLES = {Role.USER: "user", Role.ASSISTANT: "model"}
# Before Gemini 3, thinking was told otherwise.
TAKES_NO_LEVEL = ("gemini-1", "gemini-2", "gemma-")
# The least of the levels; the lite models have one below the others' "low".
LITE = "flash-lite"
LEVELS = {
    ReasoningEffort.LOW: types.ThinkingLevel.LOW,
    ReasoningEffort.MEDIUM: types.ThinkingLevel.MEDIUM,
    ReasoningEffort.HIGH: types.ThinkingLevel.HIGH,
}

STOPS = {
    "STOP": StopReason.END_TURN,
    "MAX_TOKENS": StopReason.MAX_TOKENS,
    # The answer would go on in another request, which nobody asked for.
    "CONTINUATION": StopReason.MAX_TOKENS,
}
REFUSALS = {
    "SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "ESCALATION", "IMAGE_SAFETY",
    "MODEL_ARMOR",
}  # fmt: skip


class GeminiProvider(RawStreamProvider):
    """Google. Its SDK has no raw responses, so the transport keeps the answer for itself."""

    def __init__(self, config: ProviderConfig) -> None:
        super().__init__(config)
        options = types.HttpOptions(
            base_url=config.base_url,
            httpx_async_client=self._http,
            retry_options=types.HttpRetryOptions(attempts=1),
        )
        self._client = genai.Client(api_key=config.api_key, vertexai=False, http_options=options)

    def _open(self, request: ProviderRequest) -> AbstractAsyncContextManager[aiohttp.StreamReader]:
        async def send() -> AsyncIterator[object]:
            return await self._client.aio.models.generate_content_stream(
                model=request.model, contents=_contents(request), config=_config(request)
            )

        return claimed_body(send)

    def _reader(self, request: ProviderRequest) -> AnswerReader:
        return GeminiReader(self.name, request)


class GeminiReader(AnswerReader):
    """Reads the chunks of a response."""

    def event(self, data: bytes) -> tuple[ProviderEvent, ...]:
        """See AnswerReader.event."""
        chunk = decoded(_CHUNKS, data)
        if chunk.error is not None:
            raise failures.from_event(chunk.error, self.provider, self.request.model)
        events: tuple[ProviderEvent, ...] = ()
        if chunk.usage:
            # Each chunk repeats the whole usage; the first is worth a report, the last one counts.
            first, self.raw = not self.raw, chunk.usage
            events = (self.report(),) if first else ()
        if chunk.feedback and chunk.feedback.block_reason:
            # Nothing follows what was blocked.
            self.refused, self.counted = True, bool(self.raw)
        return events + self._candidate(chunk.candidates[0]) if chunk.candidates else events

    def usage(self) -> Usage:
        """Cached tokens are a part of Gemini's prompt; thoughts and tools' results stand beside their kind."""
        cached, thoughts = self.raw.get("cachedContentTokenCount", 0), self.raw.get("thoughtsTokenCount", 0)
        asked = self.raw.get("promptTokenCount", 0) + self.raw.get("toolUsePromptTokenCount", 0)
        return Usage(
            input=max(asked - cached, 0),
            cache_read=cached,
            output=self.raw.get("candidatesTokenCount", 0) + thoughts,
            reasoning=thoughts,
        )

    def _candidate(self, candidate: _Candidate) -> tuple[ProviderEvent, ...]:
        events: tuple[ProviderEvent, ...] = ()
        for part in (candidate.content.parts if candidate.content else None) or ():
            events += self.reasoning(part.text) if part.thought else self.text(part.text)
        if candidate.finish is not None:
            self.refused = self.refused or candidate.finish in REFUSALS
            self.stop = STOPS.get(candidate.finish, StopReason.END_TURN)
            self.counted = bool(self.raw)
        return events


class _Part(msgspec.Struct):
    text: str = ""
    thought: bool = False


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct):
    content: _Content | None = None
    finish: str | None = msgspec.field(default=None, name="finishReason")


class _Feedback(msgspec.Struct):
    block_reason: str | None = msgspec.field(default=None, name="blockReason")


class _Chunk(msgspec.Struct):
    candidates: list[_Candidate] | None = None
    usage: dict[str, Any] | None = msgspec.field(default=None, name="usageMetadata")
    feedback: _Feedback | None = msgspec.field(default=None, name="promptFeedback")
    error: Any = None


_CHUNKS = msgspec.json.Decoder(_Chunk)


def _contents(request: ProviderRequest) -> list[types.Content]:
    return [
        types.Content(role=ROLES[message.role], parts=[types.Part(text=message.text)])
        for message in prompt.said(request)
    ]


def _config(request: ProviderRequest) -> types.GenerateContentConfig:
    return types.GenerateContentConfig(
        max_output_tokens=request.max_output_tokens,
        temperature=request.temperature,
        stop_sequences=list(request.stop) or None,
        system_instruction=prompt.system_prompt(request),
        thinking_config=_thinking(request),
        automatic_continuation=False,
    )


def _thinking(request: ProviderRequest) -> types.ThinkingConfig | None:
    if request.model.startswith(TAKES_NO_LEVEL):
        return None
    match request.reasoning_effort:
        case None:
            level = None
        case ReasoningEffort.NONE:
            level = types.ThinkingLevel.MINIMAL if LITE in request.model else types.ThinkingLevel.LOW
        case effort:
            level = LEVELS[effort]
    return types.ThinkingConfig(include_thoughts=True, thinking_level=level)
