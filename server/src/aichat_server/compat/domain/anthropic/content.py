"""An answer's content as Anthropic's content blocks, which begin and end one after another."""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum, auto
from typing import Any, assert_never

import msgspec

from aichat_server.compat.domain.anthropic.marks import ANTHROPIC, REDACTED, Marked, wrapped
from aichat_server.compat.domain.anthropic.told import citation_of
from aichat_server.content.parts import ProviderItem, Signature, ToolCallPart
from aichat_server.generations.domain.stream import ContentShown, ToolCallWhole
from aichat_server.providers.domain.events import (
    CitationFound,
    ItemFound,
    PartEnd,
    ReasoningDelta,
    Signed,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
)

Told = dict[str, Any]
"""An event of the stream, as JSON has it."""
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")
"""What Anthropic does not take back in the ids of calls."""
_TEXT, _THINKING, _CALL = "text", "thinking", "tool_use"


class ThinkingShown(Enum):
    """What the caller sees of the model's thinking."""

    NOTHING = auto()
    MARKS = auto()
    """Its signatures alone."""
    ALL = auto()


class ContentBlocks:
    """Takes an answer's content in order, and tells it as the events of blocks."""

    def __init__(self, shown: ThinkingShown) -> None:
        self._shown = shown
        self._index = -1
        self._open = ""
        """The type of the block that is open; empty if none is."""
        self._call = ""
        """The id of the call that is being written; empty if none is."""
        self._held: ToolCallStart | None = None
        """The call, as long as its block has not begun: its mark comes before it."""
        self._queue: list[ContentShown] = []
        """The events that arrived before the end of the call. Readers get them after it."""
        self._marks: list[str] = []
        """The marks that come before the next block."""

    def more_text(self, text: str) -> Told | None:
        """Returns what tells more of the open text, as most events do; None if it is not open."""
        return self._delta({"type": "text_delta", "text": text}) if self._open == _TEXT and not self._call else None

    def take(self, event: ContentShown) -> Iterator[Told]:  # noqa: C901 — one case for each kind
        """Yields what tells the next event."""
        if self._call and not self._is_of_call(event):
            self._queue.append(event)
            return
        match event:
            case TextDelta(text):
                yield from self._begin_text()
                yield self._delta({"type": "text_delta", "text": text})
            case ReasoningDelta(text):
                yield from self._thought(text)
            case ToolCallStart(call_id):
                yield from self._close()
                self._call, self._held = call_id, event
            case ToolCallDelta(_, text):
                yield from self._begin_call()
                yield self._delta({"type": "input_json_delta", "partial_json": text})
            case ToolCallWhole(call):
                yield from self._end_call(call)
            case CitationFound(citation):
                yield from self._begin_text()
                yield self._delta({"type": "citations_delta", "citation": citation_of(citation)})
            case ItemFound(item):
                yield from self._item(item)
            case Signed():
                yield from self._signed(event)
            case PartEnd():
                yield from self._close()
            case _:
                assert_never(event)

    def finish(self) -> Iterator[Told]:
        """Yields what ends the content, a call that is not whole included."""
        if self._call:
            yield from self._begin_call()
            yield from self._next()
        yield from self._close()

    def _is_of_call(self, event: ContentShown) -> bool:
        match event:
            case ToolCallDelta(call_id):
                return call_id == self._call
            case Signed(call_id=marked):
                return marked == self._call
            case ToolCallWhole(call):
                return call.call_id == self._call
            case _:
                return False

    def _thought(self, text: str) -> Iterator[Told]:
        if self._shown is ThinkingShown.NOTHING:
            return
        if self._open != _THINKING:
            yield from self._begin({"type": _THINKING, "thinking": "", "signature": ""})
        if self._shown is ThinkingShown.ALL:
            yield self._delta({"type": "thinking_delta", "thinking": text})

    def _begin_text(self) -> Iterator[Told]:
        if self._open != _TEXT:
            yield from self._begin({"type": _TEXT, "text": ""})

    def _begin_call(self) -> Iterator[Told]:
        held, self._held = self._held, None
        if held is not None:
            call_id = _NOT_IN_IDS.sub("_", held.call_id)
            yield from self._begin({"type": _CALL, "id": call_id, "name": held.name, "input": {}})

    def _end_call(self, call: ToolCallPart) -> Iterator[Told]:
        if self._held is not None:
            if call.signature is not None and not self._marks:
                self._marks.append(wrapped(Marked.CALL, call.signature))
            yield from self._begin_call()
            if call.arguments:
                yield self._delta({"type": "input_json_delta", "partial_json": call.arguments})
        yield from self._next()

    def _next(self) -> Iterator[Told]:
        """Ends the call, and yields what has waited for its end."""
        yield from self._close()
        self._call = ""
        queue, self._queue = self._queue, []
        for event in queue:
            yield from self.take(event)

    def _signed(self, event: Signed) -> Iterator[Told]:
        signature = event.signature
        if event.call_id is not None:
            # Later it would come too late, and vendors do without.
            if self._held is not None:
                self._marks.append(wrapped(Marked.CALL, signature))
        elif event.alone or self._open not in (_TEXT, _THINKING):
            yield from self._mark(signature)
        elif self._open == _THINKING:
            yield self._delta({"type": "signature_delta", "signature": wrapped(Marked.REASONING, signature)})
            yield from self._close()
        else:
            self._marks.append(wrapped(Marked.TEXT, signature))
            yield from self._close()

    def _mark(self, signature: Signature) -> Iterator[Told]:
        """Yields thinking of which nothing is shown but its mark."""
        if self._shown is ThinkingShown.NOTHING:
            return
        told = wrapped(Marked.REASONING, signature)
        if signature.provider == ANTHROPIC and signature.kind != REDACTED:
            yield from self._begin({"type": _THINKING, "thinking": "", "signature": ""})
            yield self._delta({"type": "signature_delta", "signature": told})
        else:
            yield from self._begin({"type": REDACTED, "data": told})
        yield from self._close()

    def _item(self, item: ProviderItem) -> Iterator[Told]:
        if item.provider == ANTHROPIC:
            yield from self._begin(msgspec.Raw(item.json.encode()))
        elif self._shown is not ThinkingShown.NOTHING:
            told = wrapped(Marked.ITEM, Signature(item.provider, item.json, item.kind))
            yield from self._begin({"type": REDACTED, "data": told})
        yield from self._close()

    def _begin(self, block: Any) -> Iterator[Told]:
        yield from self._close()
        marks, self._marks = self._marks, []
        for mark in marks if self._shown is not ThinkingShown.NOTHING else ():
            yield from self._begin({"type": REDACTED, "data": mark})
            yield from self._close()
        self._index += 1
        self._open = block["type"] if isinstance(block, dict) else "item"
        yield {"type": "content_block_start", "index": self._index, "content_block": block}

    def _delta(self, delta: Told) -> Told:
        return {"type": "content_block_delta", "index": self._index, "delta": delta}

    def _close(self) -> Iterator[Told]:
        if self._open:
            self._open = ""
            yield {"type": "content_block_stop", "index": self._index}
