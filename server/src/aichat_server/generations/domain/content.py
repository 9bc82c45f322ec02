"""The content of an answer, put together from what its vendor sends."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import assert_never

import msgspec

from aichat_server.content.parts import Citation, Part, ProviderItem, ReasoningPart, Signature, TextPart, ToolCallPart
from aichat_server.core.texts import is_blank
from aichat_server.providers.domain.events import (
    CitationFound,
    ContentEvent,
    ItemFound,
    PartEnd,
    ReasoningDelta,
    Signed,
    TextDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)


class _Growing:
    """A part that is being written."""

    __slots__ = ("citations", "make", "passage", "signature", "texts")

    def __init__(self, make: Callable[[_Growing], Part]) -> None:
        self.make = make
        self.texts: list[str] = []
        self.citations: list[Citation] = []
        self.signature: Signature | None = None
        self.passage = 0
        """Where the passage begins that the next citations are for, in code points."""

    @property
    def text(self) -> str:
        return "".join(self.texts)

    def end_passage(self) -> None:
        """Ends the passage that the last citations are for, unless their vendor said where it is."""
        end = len(self.text)
        for n, citation in enumerate(self.citations):
            if not citation.end and not citation.start:
                self.citations[n] = msgspec.structs.replace(citation, start=self.passage, end=end)
        self.passage = end


def _text(grown: _Growing) -> Part:
    return TextPart(grown.text, tuple(grown.citations), grown.signature)


def _reasoning(grown: _Growing) -> Part:
    return ReasoningPart(grown.text, grown.signature)


def _call(start: ToolCallStart, grown: _Growing) -> Part:
    return ToolCallPart(start.call_id, start.name, grown.text, grown.signature)


class AnswerContent:
    """Takes an answer's events in order, and returns its parts."""

    def __init__(self) -> None:
        self._parts: list[_Growing | ProviderItem] = []
        self._open: _Growing | None = None
        """The text or reasoning that the next delta continues."""
        self._calls: dict[str, _Growing] = {}
        self._whole: set[str] = set()
        """The ids of the tool calls that are whole."""

    @property
    def has_words(self) -> bool:
        """Whether there is anything of the answer itself: text that is not blank, or a whole tool call."""
        return bool(self._whole) or not is_blank("".join(part.text for part in self._texts()))

    def take(self, event: ContentEvent) -> None:  # noqa: C901 — one case for each kind
        """Takes the next event."""
        match event:
            case TextDelta(text):
                self._opened(_text).texts.append(text)
            case ReasoningDelta(text):
                self._opened(_reasoning).texts.append(text)
            case ToolCallStart():
                self._close()
                self._calls[event.call_id] = self._add(partial(_call, event))
            case ToolCallDelta(call_id, text):
                self._calls[call_id].texts.append(text)
            case ToolCallEnd(call_id):
                self._whole.add(call_id)
            case CitationFound(citation):
                self._opened(_text).citations.append(citation)
            case ItemFound(item):
                self._close()
                self._parts.append(item)
            case Signed():
                self._sign(event)
            case PartEnd() if self._open is not None and self._open.make is _text:
                self._open.end_passage()
            case PartEnd():
                self._close()
            case _:
                assert_never(event)

    def call(self, call_id: str) -> ToolCallPart:
        """Returns a tool call as far as it has come. Raises KeyError if it has not begun."""
        part = self._calls[call_id].make(self._calls[call_id])
        if not isinstance(part, ToolCallPart):
            raise TypeError(f"{call_id} is no tool call")
        return part

    def parts(self) -> tuple[Part, ...]:
        """Returns the content so far. A tool call that is not whole is left out, and so is what is empty."""
        grown = [part if isinstance(part, ProviderItem) else self._made(part) for part in self._parts]
        return tuple(part for part in grown if part is not None)

    def _made(self, growing: _Growing) -> Part | None:
        part = growing.make(growing)
        match part:
            case ToolCallPart(call_id):
                return part if call_id in self._whole else None
            case TextPart(text) | ReasoningPart(text):
                return part if text or growing.citations or growing.signature else None
            case _:
                return part

    def _texts(self) -> list[_Growing]:
        return [part for part in self._parts if isinstance(part, _Growing) and part.make is _text]

    def _opened(self, make: Callable[[_Growing], Part]) -> _Growing:
        if self._open is None or self._open.make is not make:
            self._open = self._add(make)
        return self._open

    def _add(self, make: Callable[[_Growing], Part]) -> _Growing:
        self._parts.append(growing := _Growing(make))
        return growing

    def _close(self) -> None:
        self._open = None

    def _sign(self, signed: Signed) -> None:
        if signed.call_id is not None:
            self._calls[signed.call_id].signature = signed.signature
            return
        if signed.alone:
            self._close()
        part = self._open or self._opened(_reasoning)
        part.signature = signed.signature
        self._close()
