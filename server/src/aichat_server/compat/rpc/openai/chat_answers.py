"""Answers as Chat Completions tells them: what whole completions and chunks have in common."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any
from uuid import UUID

from aichat_server.compat.domain.openai.chat_messages import GEMINI
from aichat_server.compat.domain.openai.responses_marks import sealed
from aichat_server.compat.rpc.openai.usage import usage_json
from aichat_server.content.parts import Citation, Part, ReasoningPart, Role, TextPart, ToolCallPart, WebSource, text_of
from aichat_server.generations.domain.generation import Answer
from aichat_server.providers.domain.events import StopReason

_FINISH: Mapping[StopReason | None, str] = MappingProxyType(
    {
        StopReason.END_TURN: "stop",
        StopReason.STOP_SEQUENCE: "stop",
        StopReason.MAX_TOKENS: "length",
        StopReason.TOOL_USE: "tool_calls",
        # The answer may be incomplete.
        StopReason.OTHER: "length",
        None: "length",
    }
)
_MILLISECONDS_AT = 80
"""A version 7 UUID begins with its time: above these bits."""


def head(generation_id: UUID, kind: str, model: str) -> dict[str, Any]:
    """Returns what a completion and all its chunks begin with. It is the same for the same generation."""
    created = (generation_id.int >> _MILLISECONDS_AT) // 1000
    return {"id": f"chatcmpl-{generation_id.hex}", "object": kind, "created": created, "model": model}


def completion(answer: Answer, model: str) -> dict[str, Any]:
    """Returns a whole completion. `model`: what was asked for."""
    choice = {"index": 0, "message": _message(answer.parts), "logprobs": None, "finish_reason": finish(answer)}
    told = head(answer.generation_id, "chat.completion", model)
    return {**told, "choices": [choice], "usage": usage_json(answer.usage, answer.cost)}


def finish(answer: Answer) -> str:
    """Returns why an answer ended."""
    return _FINISH[answer.stop_reason]


def call_json(call: ToolCallPart) -> dict[str, Any]:
    """Returns a whole call of a tool, with Gemini's mark in the place that Google has for it."""
    told = {"id": call.call_id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
    mark = call.signature
    if mark is None or mark.provider != GEMINI:
        return told
    return {**told, "extra_content": {"google": {"thought_signature": mark.data}}}


def thoughts_json(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Returns the reasoning that its vendor wants back, in the field that OpenRouter has for it.

    Clients that return whole messages return it, too.
    """
    marked = [part for part in parts if isinstance(part, ReasoningPart) and part.signature is not None]
    return [
        {"type": "reasoning.encrypted", "format": "aichat", "index": n, "data": sealed(part)}
        for n, part in enumerate(marked)
    ]


def citations_json(parts: Iterable[Part]) -> list[dict[str, Any]]:
    """Returns the pages that an answer cites, by their places in its whole text."""
    found, at = [], 0
    for part in parts:
        if isinstance(part, TextPart):
            found += [_annotation(source, one, part, at) for source, one in _pages(part)]
            at += len(part.text)
    return found


def _message(parts: tuple[Part, ...]) -> dict[str, Any]:
    calls = [call_json(part) for part in parts if isinstance(part, ToolCallPart)]
    text, thought = text_of(parts, Role.ASSISTANT), "".join(p.text for p in parts if isinstance(p, ReasoningPart))
    told: dict[str, Any] = {"role": "assistant", "content": text if text or not calls else None, "refusal": None}
    told["annotations"] = citations_json(parts)
    if thought:
        told["reasoning_content"] = thought
    if thoughts := thoughts_json(parts):
        told["reasoning_details"] = thoughts
    return {**told, "tool_calls": calls} if calls else told


def _pages(part: TextPart) -> Iterator[tuple[WebSource, Citation]]:
    for one in part.citations:
        if isinstance(one.source, WebSource):
            yield one.source, one


def _annotation(source: WebSource, citation: Citation, part: TextPart, at: int) -> dict[str, Any]:
    place = {"start_index": at + citation.start, "end_index": at + (citation.end or len(part.text))}
    return {"type": "url_citation", "url_citation": {**place, "title": citation.title, "url": source.url}}
