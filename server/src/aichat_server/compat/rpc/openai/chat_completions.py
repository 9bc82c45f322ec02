"""Chat Completions: reads its requests, and writes answers as completions and as chunks."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Any

import msgspec
from google.api.httpbody_pb2 import HttpBody

from aichat_server.compat.domain.asked import Asked
from aichat_server.compat.rpc.headers import Headers
from aichat_server.compat.rpc.pieces import body_of, events_piece, json_piece
from aichat_server.compat.service.serving import CompatCall, Serving
from aichat_server.content.parts import Role, TextPart, text_of
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.stream import Completed, Heartbeat, Started
from aichat_server.generations.service.journal import Events
from aichat_server.identity.service.caller import current_principal
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import StopReason, TextDelta
from aichat_server.providers.domain.requests import ChatOptions, PathMessage
from aichat_server.transport.foreign import current_reply

_FINISH: Mapping[StopReason, str] = MappingProxyType(
    {
        StopReason.END_TURN: "stop",
        StopReason.STOP_SEQUENCE: "stop",
        StopReason.OTHER: "stop",
        StopReason.MAX_TOKENS: "length",
        StopReason.TOOL_USE: "tool_calls",
    }
)


class _Message(msgspec.Struct):
    role: str
    content: str


class _Request(msgspec.Struct):
    model: str
    messages: list[_Message]
    stream: bool = False


class ChatCompletions:
    """Creates chat completions."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def create(self, body: HttpBody, _headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Yields the response's pieces."""
        sent = body_of(body)
        request = sent.read(_Request)
        call = CompatCall(_asked(request), sent, "chat.completions")
        events = await self._serving.answer(current_principal(), call)
        pieces = _stream(events) if request.stream else _whole(events)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece


def _asked(request: _Request) -> Asked:
    system = [message.content for message in request.messages if message.role in ("system", "developer")]
    said = [message for message in request.messages if message.role in ("user", "assistant")]
    messages = tuple(PathMessage(Role(message.role), (TextPart(message.content),)) for message in said)
    return Asked(request.model, messages, ChatOptions(system_prompt="\n\n".join(system)))


async def _stream(events: Events) -> AsyncGenerator[HttpBody, None]:
    head: dict[str, Any] = {}
    async with aclosing(events):
        async for _, event in events:
            match event:
                case Started(generation_id=generation_id, model=model):
                    current_reply().headers["x-aichat-generation-id"] = str(generation_id)
                    head = {"id": f"chatcmpl-{generation_id.hex}", "object": "chat.completion.chunk", "model": model}
                    head |= {"created": _created(generation_id.int)}
                    yield _chunk(head, {"role": "assistant", "content": ""})
                case TextDelta(text):
                    yield _chunk(head, {"content": text})
                case Heartbeat():
                    yield events_piece(b": heartbeat\n\n")
                case Completed(answer):
                    yield _chunk(head, {}, _finish(answer.stop_reason))
                    yield events_piece(b"data: [DONE]\n\n")
                case _:
                    """Nothing to show."""


async def _whole(events: Events) -> AsyncGenerator[HttpBody, None]:
    async with aclosing(events):
        async for _, event in events:
            if isinstance(event, Completed):
                answer = event.answer
                current_reply().headers["x-aichat-generation-id"] = str(answer.generation_id)
                message = {"role": "assistant", "content": text_of(answer.parts, Role.ASSISTANT)}
                yield json_piece(
                    {
                        "id": f"chatcmpl-{answer.generation_id.hex}",
                        "object": "chat.completion",
                        "created": _created(answer.generation_id.int),
                        "model": answer.model,
                        "choices": [{"index": 0, "message": message, "finish_reason": _finish(answer.stop_reason)}],
                        "usage": _usage(answer.usage),
                    }
                )
                return
    raise AichatError(Reason.INTERNAL, "the answer ended without its end")


def _chunk(head: dict[str, Any], delta: dict[str, Any], finish: str | None = None) -> HttpBody:
    chunk = {**head, "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}
    return events_piece(b"data: " + msgspec.json.encode(chunk) + b"\n\n")


def _usage(usage: Usage) -> dict[str, int]:
    asked, written = usage.total_input, usage.output
    return {"prompt_tokens": asked, "completion_tokens": written, "total_tokens": asked + written}


def _finish(reason: StopReason | None) -> str:
    return _FINISH[reason] if reason is not None else "stop"


def _created(number: int) -> int:
    """Returns the time of a version 7 UUID, in seconds."""
    return (number >> 80) // 1000
