"""Reads the events of an answer of Claude's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import msgspec

from aichat_server.content.parts import Signature
from aichat_server.core.errors import Reason
from aichat_server.core.texts import storable
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import (
    CitationFound,
    ItemFound,
    PartEnd,
    ProviderEvent,
    Signed,
    StopReason,
)
from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.gateway.answer import AnswerReader, decoded
from aichat_server.providers.gateway.claude_blocks import (
    CALL,
    REDACTED,
    THINKING,
    OpenBlock,
    citation,
    fields_of,
    opened,
)
from aichat_server.providers.gateway.figures import Path

# Anthropic charges a tenth more for tokens if only machines in the US may answer, and says so in each answer.
DEARER_REGIONS = {"us": 110}

STOPS = {
    "end_turn": StopReason.END_TURN,
    "max_tokens": StopReason.MAX_TOKENS,
    "model_context_window_exceeded": StopReason.MAX_TOKENS,
    "stop_sequence": StopReason.STOP_SEQUENCE,
    "tool_use": StopReason.TOOL_USE,
}


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
    _has_text = False
    """Whether a block of text has begun."""

    def __init__(self, provider: str, request: ProviderRequest) -> None:
        super().__init__(provider, request)
        self._blocks: dict[int, OpenBlock] = {}
        self._broken_calls: list[str] = []
        """The tool calls whose arguments are no JSON: the model's limit may have cut them off."""

    def event(self, data: bytes) -> tuple[ProviderEvent, ...]:
        """See AnswerReader.event."""
        event = decoded(_EVENTS, data)
        delta = event.delta
        if event.type == "content_block_delta" and delta is not None:
            if delta.type == "text_delta":
                return self.text(delta.text or "")
            if delta.type == "input_json_delta":
                return self._input(event.index, delta.partial_json or "")
            return self._delta(event.index, delta, data)
        if event.type == "content_block_start":
            return self._begin(event.index, event.content_block)
        if event.type == "content_block_stop":
            return self._finish(event.index)
        if event.type == "message_delta" and delta is not None:
            self._unguess(event.usage)
            self.count(event.usage)
            return self._end(delta.stop_reason)
        return self._message(event)

    def _message(self, event: _Event) -> tuple[ProviderEvent, ...]:
        if event.type == "message_start" and event.message is not None:
            self.count(event.message.usage, final=False)
            self._opened = self._guessed = True
            self._blocks.clear()
            return (self.report(),)
        if event.type == "message_stop":
            self.ended = True
        elif event.type == "error":
            self.broken_off(event.error)
        return ()

    def _begin(self, index: int, raw: msgspec.Raw) -> tuple[ProviderEvent, ...]:
        block = self._blocks[index] = opened(raw)
        head = block.head
        match head.type:
            case "text":
                # What was written before is another passage than what the next citations are for.
                before: tuple[ProviderEvent, ...] = (PartEnd(),) if self._has_text else ()
                self._has_text = True
                block.cited = bool(head.citations)
                cited = tuple(CitationFound(citation(told, self.provider)) for told in head.citations or ())
                return (*before, *self.text(head.text or ""), *cited)
            case "thinking":
                return self._thought(block, head.thinking or "")
            case "tool_use":
                given = bytes(head.input).decode(errors="replace")
                begun = self.call_begins(head.id, head.name)
                return begun if given in ("", "{}", "null") else begun + self.call_arguments(head.id, given)
            case _:
                return ()

    def _delta(self, index: int, delta: _Delta, data: bytes) -> tuple[ProviderEvent, ...]:
        block = self._blocks.get(index)
        if delta.type == "thinking_delta":
            return self._thought(block, delta.thinking or "")
        if block is None:
            return ()
        match delta.type:
            case "signature_delta" if block.head.type == THINKING:
                block.signature = delta.signature or ""
            case "citations_delta":
                block.cited = True
                return (CitationFound(citation(delta.citation, self.provider)),)
            case _:
                block.fields |= fields_of(data)
        return ()

    def _input(self, index: int, piece: str) -> tuple[ProviderEvent, ...]:
        block = self._blocks.get(index)
        if block is None:
            return ()
        block.pieces.append(piece)
        return self.call_arguments(block.head.id, piece) if block.head.type == CALL else ()

    def _thought(self, block: OpenBlock | None, text: str) -> tuple[ProviderEvent, ...]:
        if block is not None and text:
            block.shown = True
        return self.reasoning(text)

    def _finish(self, index: int) -> tuple[ProviderEvent, ...]:
        block = self._blocks.pop(index, None)
        if block is None:
            return ()
        match block.head.type:
            case "text":
                return (PartEnd(),) if block.cited else ()
            case "thinking":
                return (self._signed(block.signature, THINKING, alone=not block.shown),)
            case "redacted_thinking":
                return (self._signed(block.head.data, REDACTED, alone=True),)
            case "tool_use" if block.whole_input:
                return self.call_ends(block.head.id)
            case "tool_use":
                self._broken_calls.append(block.head.id)
                return ()
            case _:
                return (ItemFound(block.item(self.provider)),)

    def _signed(self, signature: str, kind: str, *, alone: bool) -> ProviderEvent:
        if not signature:
            return PartEnd()
        return Signed(Signature(self.provider, storable(signature), kind), alone=alone)

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

    def _end(self, stop_reason: str | None) -> tuple[ProviderEvent, ...]:
        if stop_reason == "refusal":
            self._refused, self.fault = True, self.failure(Reason.ANSWER_REFUSED)
        elif stop_reason:
            # An unknown reason, and a pause of a long search, leave a turn that would continue in another request.
            self.stop = STOPS.get(stop_reason, StopReason.OTHER)
        if self.stop is not StopReason.TOOL_USE:
            return ()
        # The model ended them itself, so it is the model that wrote no JSON.
        broken, self._broken_calls = self._broken_calls, []
        return tuple(event for call_id in broken for event in self.call_ends(call_id))


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    citation: msgspec.Raw = msgspec.Raw(b"null")
    stop_reason: str | None = None


class _Message(msgspec.Struct):
    usage: Any = None


class _Event(msgspec.Struct):
    type: str
    index: int = 0
    delta: _Delta | None = None
    content_block: msgspec.Raw = msgspec.Raw(b"{}")
    message: _Message | None = None
    usage: Any = None
    error: Any = None


_EVENTS = msgspec.json.Decoder(_Event)
