"""The content of an answer: put together from what a vendor sends, and shown to readers as it was."""

from __future__ import annotations

import pytest
from aichat_server.content.parts import (
    Citation,
    ProviderItem,
    ReasoningPart,
    Role,
    Signature,
    TextPart,
    ToolCallPart,
    WebSource,
    text_of,
)
from aichat_server.generations.domain.content import AnswerContent
from aichat_server.generations.domain.generation import GenerationState, kept_parts
from aichat_server.generations.domain.shown import content_of, shown
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

from tests.fixtures.parts import ANSWERED

MARK = Signature("vendor", "mark")
ITEM = ProviderItem("vendor", "search", "{}")
SOURCE = Citation(WebSource("https://example.com"))


def content(*events: ContentEvent) -> AnswerContent:
    built = AnswerContent()
    for event in events:
        built.take(event)
    return built


@pytest.mark.parametrize(
    ("events", "parts"),
    [
        ([], []),
        ([TextDelta("a"), TextDelta("b")], [TextPart("ab")]),
        (
            [ReasoningDelta("a"), TextDelta("b"), ReasoningDelta("c")],
            [ReasoningPart("a"), TextPart("b"), ReasoningPart("c")],
        ),
        ([ReasoningDelta("a"), PartEnd(), ReasoningDelta("b")], [ReasoningPart("a"), ReasoningPart("b")]),
        # A vendor cuts text wherever it likes.
        ([TextDelta("a"), PartEnd(), TextDelta("b")], [TextPart("ab")]),
        ([TextDelta("a"), ItemFound(ITEM), TextDelta("b")], [TextPart("a"), ITEM, TextPart("b")]),
        ([ReasoningDelta("a"), Signed(MARK)], [ReasoningPart("a", MARK)]),
        ([Signed(MARK), Signed(MARK)], [ReasoningPart("", MARK), ReasoningPart("", MARK)]),
        ([TextDelta("a"), Signed(MARK), TextDelta("b")], [TextPart("a", (), MARK), TextPart("b")]),
        (
            [TextDelta("a"), PartEnd(), TextDelta("bc"), CitationFound(SOURCE), PartEnd(), TextDelta("d")],
            [TextPart("abcd", (Citation(SOURCE.source, start=1, end=3),))],
        ),
    ],
)
def test_events_become_parts(events: list[ContentEvent], parts: list[object]) -> None:
    assert list(content(*events).parts()) == parts


def test_tool_calls_grow_side_by_side_and_count_once_they_are_whole() -> None:
    begun = (ToolCallStart("1", "f"), ToolCallStart("2", "g"))
    built = content(*begun, ToolCallDelta("2", "[]"), ToolCallDelta("1", "{"), ToolCallEnd("2"))
    assert built.parts() == (ToolCallPart("2", "g", "[]"),)
    for event in (ToolCallDelta("1", "}"), Signed(MARK, "1"), ToolCallEnd("1")):
        built.take(event)
    assert built.parts() == (ToolCallPart("1", "f", "{}", MARK), ToolCallPart("2", "g", "[]"))
    assert built.has_words


@pytest.mark.parametrize("events", [[], [TextDelta(" \n")], [ReasoningDelta("hm")], [ToolCallStart("1", "f")]])
def test_without_words_only_a_complete_answer_is_kept(events: list[ContentEvent]) -> None:
    assert kept_parts(GenerationState.CANCELLED, content(*events)) is None
    assert kept_parts(GenerationState.COMPLETE, content(*events)) == content(*events).parts()


def test_what_readers_see_is_the_whole_answer() -> None:
    """So that a stored answer can be streamed again, and an answer can be stored from its journal."""
    seen = content_of(shown(ANSWERED)).parts()
    assert text_of(seen, Role.ASSISTANT) == text_of(ANSWERED, Role.ASSISTANT)
    assert [part for part in seen if not isinstance(part, TextPart)] == [
        part for part in ANSWERED if not isinstance(part, TextPart)
    ]
