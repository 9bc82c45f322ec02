"""Streams of payloads for the vendors' readers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from aichat_server.content.parts import Role, TextPart
from aichat_server.core.errors import AichatError
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import ProviderEvent, UsageReport
from aichat_server.providers.domain.requests import FileReader, PathMessage, Prompt, ProviderRequest
from aichat_server.providers.gateway.answer import AnswerReader
from aichat_server.providers.gateway.body import encoded
from aichat_server.providers.gateway.claude_reader import ClaudeReader

REQUEST = ProviderRequest("a-model", Prompt((PathMessage(Role.USER, (TextPart("twelve bytes"),)),)), 1000)
Make = Callable[[str, ProviderRequest], AnswerReader]


def framed(*payloads: object) -> bytes:
    """Returns the payloads as a stream; bytes stay unchanged."""
    data = (payload if isinstance(payload, bytes) else json.dumps(payload).encode() for payload in payloads)
    return b"".join(b"data: " + block + b"\n\n" for block in data)


def read(make: Make, *payloads: object) -> list[ProviderEvent]:
    """Returns all events of a stream of these payloads."""
    reader = make("a-vendor", REQUEST)
    return [*reader.read(framed(*payloads)), *reader.finish()]


def failure(make: Make, *payloads: object) -> tuple[AichatError | None, Usage]:
    """Returns the failure of such a stream, and its usage."""
    reader = make("a-vendor", REQUEST)
    try:
        list(reader.read(framed(*payloads)))
        list(reader.finish())
    except AichatError as error:
        return error, reader.report().usage
    return None, reader.report().usage


def final_usage(events: list[ProviderEvent]) -> Usage:
    """Returns the usage of the last report."""
    report = events[-2]
    assert isinstance(report, UsageReport)
    return report.usage


def claude(start: object, *deltas: object, text: str = "Hi", stop_reason: str = "end_turn") -> list[ProviderEvent]:
    """Returns the events of a message whose usage is reported at the start and by each delta."""
    said = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
    told = [{"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": usage} for usage in deltas]
    message = {"type": "message_start", "message": {"id": "msg_1", "content": [], "usage": start}}
    return read(ClaudeReader, message, {"type": "ping"}, said, *told, {"type": "message_stop"})


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Returns a chunk of a completion."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": choices, **more}


def candidate(*parts: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Returns a chunk of a response."""
    told = {"finishReason": finish} if finish else {}
    return {"candidates": [{"content": {"parts": [*parts], "role": "model"}, "index": 0, **told}], **more}


async def whole(body: object, files: FileReader) -> bytes:
    """Returns a request's body in one piece."""
    made = await encoded(body, files)
    return made if isinstance(made, bytes) else b"".join([piece async for piece in made.read()])
