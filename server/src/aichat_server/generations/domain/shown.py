"""An answer's content as its readers see it, from events and back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import assert_never

from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Part,
    ProviderItem,
    ReasoningPart,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.generations.domain.content import AnswerContent
from aichat_server.generations.domain.stream import (
    Completed,
    ContentShown,
    Heartbeat,
    Started,
    StreamEvent,
    ToolCallWhole,
    UsageSoFar,
)
from aichat_server.providers.domain.events import (
    CitationFound,
    Delta,
    ItemFound,
    PartEnd,
    ReasoningDelta,
    Sent,
    Signed,
    TextDelta,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
)


def content_of(events: Iterable[StreamEvent]) -> AnswerContent:
    """Returns the content that `events` show."""
    content = AnswerContent()
    for event in events:
        match event:
            case TextDelta() | ReasoningDelta() | ToolCallDelta() | ToolCallStart() | CitationFound() | ItemFound():
                content.take(event)
            case Signed() | PartEnd():
                content.take(event)
            case ToolCallWhole(call):
                content.take(ToolCallEnd(call.call_id))
            case Started() | UsageSoFar() | Sent() | Heartbeat() | Completed():
                """No content."""
            case _:
                assert_never(event)
    return content


def shown(parts: Iterable[Part]) -> Iterator[ContentShown]:
    """Yields the events that show the parts of an answer, each text as one delta. A part with a mark may have none."""
    for part in parts:
        yield from (event for event in _shown(part) if not isinstance(event, Delta) or event.text)


def _shown(part: Part) -> Iterator[ContentShown]:
    match part:
        case TextPart(text, citations, signature):
            yield TextDelta(text)
            yield from map(CitationFound, citations)
            yield from map(Signed, filter(None, [signature]))
        case ReasoningPart(text, signature):
            yield ReasoningDelta(text)
            yield from (Signed(mark, alone=not text) for mark in filter(None, [signature]))
            yield PartEnd()
        case ToolCallPart(call_id, name, arguments, signature):
            yield ToolCallStart(call_id, name)
            yield from (Signed(mark, call_id) for mark in filter(None, [signature]))
            yield ToolCallDelta(call_id, arguments)
            yield ToolCallWhole(part)
        case ProviderItem():
            yield ItemFound(part)
        case ImagePart() | DocumentPart() | AudioPart() | ToolResultPart():
            """No model writes it."""
        case _:
            assert_never(part)
