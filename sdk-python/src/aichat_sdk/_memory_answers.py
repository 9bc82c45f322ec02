"""Scripted answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from aichat_sdk._proto.aichat import v1
from aichat_sdk._proto.google.type import Money
from aichat_sdk.errors import AIChatError, AnswerCancelledError, UnavailableError


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A piece of an answer: the model calls a tool."""

    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    call_id: str = "call-1"
    """Differs between the calls of one answer."""

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise TypeError(f"name must be str, not {self.name!r}")
        if not isinstance(self.arguments, Mapping):
            raise TypeError(f"arguments must be a dict, not {self.arguments!r}")


@dataclass(frozen=True, slots=True)
class Silence:
    """A piece of an answer: nothing comes any more."""


@dataclass(frozen=True, slots=True)
class Failure:
    """No answer begins."""

    error: AIChatError


Piece = str | ToolCall | Silence | AIChatError
_Item = v1.StreamChatResponse | Silence | AIChatError


class Generation:
    """One answer: its events, and what breaks them."""

    def __init__(self, started: v1.ChatStarted, message: v1.Message, pieces: Sequence[Piece]) -> None:
        self.message = message
        self.generation_id = started.generation_id
        self.state = v1.GenerationState.COMPLETE
        self._items: list[_Item] = [v1.StreamChatResponse(started=started), *_items(pieces)]
        self._items.append(v1.StreamChatResponse(completed=v1.ChatCompleted(message=_finished(message, pieces))))
        numbered = [item for item in self._items if isinstance(item, v1.StreamChatResponse)]
        for number, event in enumerate(numbered, 1):
            event.sequence = number
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def events(self, after_sequence: int) -> AsyncIterator[v1.StreamChatResponse]:
        """Yields the events after a number, as far as nothing breaks them."""
        for item in list(self._items):
            match item:
                case AIChatError():
                    if isinstance(item, UnavailableError):
                        # It breaks one stream; the next one gets further.
                        self._items.remove(item)
                    raise item
                case Silence():
                    await self._cancelled()
                    raise AnswerCancelledError("the answer was cancelled", reason="GENERATION_CANCELLED")
                case v1.StreamChatResponse() if item.sequence > after_sequence:
                    yield item

    def cancel(self) -> v1.GenerationState:
        """Ends the silence, and returns how the answer ended."""
        if any(isinstance(item, Silence) for item in self._items):
            self.state = v1.GenerationState.CANCELLED
        for loop, event in self._waiting:
            loop.call_soon_threadsafe(event.set)
        return self.state

    async def _cancelled(self) -> None:
        event = asyncio.Event()
        self._waiting.append((asyncio.get_running_loop(), event))
        if self.state is not v1.GenerationState.CANCELLED:
            await event.wait()


def _items(pieces: Sequence[Piece]) -> Iterator[_Item]:
    for piece in pieces:
        match piece:
            case str():
                yield v1.StreamChatResponse(text_delta=v1.TextDelta(text=piece))
            case ToolCall():
                started = v1.ToolCallStarted(call_id=piece.call_id, name=piece.name)
                yield v1.StreamChatResponse(tool_call_started=started)
                yield v1.StreamChatResponse(tool_call_ended=v1.ToolCallEnded(call=_call(piece)))
            case _:
                yield piece


def _finished(message: v1.Message, pieces: Sequence[Piece]) -> v1.Message:
    text = "".join(piece for piece in pieces if isinstance(piece, str))
    calls = [v1.Part(tool_call=_call(piece)) for piece in pieces if isinstance(piece, ToolCall)]
    message.parts = [*([v1.Part(text=v1.TextPart(text=text))] if text else []), *calls]
    message.stop_reason = v1.StopReason.TOOL_USE if calls else v1.StopReason.END_TURN
    message.usage = v1.Usage(input_tokens=1, output_tokens=len(text.split()))
    message.cost = Money(currency_code="USD")
    message.create_time = datetime.now(UTC)
    return message


def _call(call: ToolCall) -> v1.ToolCallPart:
    return v1.ToolCallPart(call_id=call.call_id, name=call.name, arguments=json.dumps(dict(call.arguments)))
