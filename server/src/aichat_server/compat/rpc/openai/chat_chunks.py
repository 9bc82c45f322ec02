"""Answers as streams of chunks: the same events always make the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, assert_never

import msgspec

from aichat_server.compat.domain.openai.chat_messages import GEMINI
from aichat_server.compat.rpc.openai.chat_answers import call_json, citations_json, finish, head, thoughts_json
from aichat_server.compat.rpc.openai.usage import usage_json
from aichat_server.generations.domain.generation import Answer
from aichat_server.generations.domain.stream import (
    Completed,
    Heartbeat,
    Started,
    StreamEvent,
    ToolCallWhole,
    UsageSoFar,
)
from aichat_server.providers.domain.events import (
    CitationFound,
    ItemFound,
    PartEnd,
    ReasoningDelta,
    Sent,
    Signed,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
)

HEARTBEAT = b": heartbeat\n\n"
DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.Encoder().encode


class Chunks:
    """Writes one stream."""

    def __init__(self, model: str, *, shows_usage: bool) -> None:
        """`model`: what was asked for. `shows_usage`: whether the last chunk tells the usage."""
        self._model = model
        self._shows_usage = shows_usage
        self._head: dict[str, Any] = {}
        self._around = (b"", b"")
        """What stands before and behind the text of a text delta."""
        self._calls: dict[str, int] = {}
        """The indexes of the tool calls."""
        self._waits = False
        """Whether calls are shown once they are whole, since their marks come last."""

    def write(self, event: StreamEvent) -> Iterator[bytes]:  # noqa: C901 — one case for each kind
        """Yields the server-sent events for an event of the answer."""
        match event:
            case TextDelta(text):
                yield self._around[0] + _encode(text) + self._around[1]
            case ReasoningDelta(text):
                yield self._chunk({"reasoning_content": text})
            case ToolCallStart(call_id, name):
                yield from self._begun(call_id, name)
            case ToolCallDelta(call_id, text) if not self._waits:
                yield self._call(call_id, {"function": {"arguments": text}})
            case ToolCallWhole(call) if self._waits:
                yield self._call(call.call_id, call_json(call))
            case Started():
                yield self._begin(event)
            case Completed(answer):
                yield from self._end(answer)
            case Heartbeat():
                yield HEARTBEAT
            case ToolCallDelta() | ToolCallWhole() | CitationFound() | ItemFound() | Signed() | PartEnd():
                """It is shown elsewhere, or has no place in this API."""
            case UsageSoFar() | Sent():
                """It is shown elsewhere, or has no place in this API."""
            case _:
                assert_never(event)

    def _begin(self, started: Started) -> bytes:
        self._head = head(started.generation_id, "chat.completion.chunk", self._model)
        self._waits = started.provider == GEMINI
        before, behind = self._chunk({"content": "|"}).split(b'"|"')
        self._around = (before, behind)
        return self._chunk({"role": "assistant", "content": ""})

    def _begun(self, call_id: str, name: str) -> Iterator[bytes]:
        self._calls[call_id] = len(self._calls)
        if not self._waits:
            function = {"name": name, "arguments": ""}
            yield self._call(call_id, {"id": call_id, "type": "function", "function": function})

    def _end(self, answer: Answer) -> Iterator[bytes]:
        if thoughts := thoughts_json(answer.parts):
            yield self._chunk({"reasoning_details": thoughts})
        if cited := citations_json(answer.parts):
            yield self._chunk({"annotations": cited})
        yield self._chunk({}, finish(answer))
        if self._shows_usage:
            yield self._event({"choices": [], "usage": usage_json(answer.usage, answer.cost)})
        yield DONE

    def _call(self, call_id: str, told: Mapping[str, Any]) -> bytes:
        return self._chunk({"tool_calls": [{"index": self._calls[call_id], **told}]})

    def _chunk(self, delta: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        # OpenAI says so of all chunks but the last.
        none = {"usage": None} if self._shows_usage else {}
        return self._event({"choices": [choice], **none})

    def _event(self, told: Mapping[str, Any]) -> bytes:
        return b"data: " + _encode({**self._head, **told}) + b"\n\n"
