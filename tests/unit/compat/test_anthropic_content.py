"""Answers as Anthropic's content blocks, and what comes back of them in the next request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pytest
from aichat_server.compat.domain.anthropic.blocks import Reader
from aichat_server.compat.domain.anthropic.content import ContentBlocks, ThinkingShown, Told
from aichat_server.compat.domain.anthropic.versions import Version
from aichat_server.compat.domain.anthropic.whole import whole_message
from aichat_server.content.parts import (
    Citation,
    DocumentSource,
    Part,
    ProviderItem,
    ReasoningPart,
    Role,
    Signature,
    TextPart,
    ToolCallPart,
    WebSource,
)
from aichat_server.generations.domain.shown import shown
from aichat_server.generations.domain.stream import ContentShown, ToolCallWhole
from aichat_server.providers.domain.events import (
    CitationFound,
    PartEnd,
    ReasoningDelta,
    Signed,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
)
from hypothesis import given
from hypothesis import strategies as st

READER = Reader(Version.STRICT, cites=True)
CLAUDE = Signature("anthropic", "c2ln", "thinking")
HIDDEN = Signature("anthropic", "aGlk", "redacted_thinking")
GEMINI = Signature("google", "AbC+/==")
GPT = Signature("openai", '{"id": "rs_1", "type": "reasoning"}', "reasoning")


def told(events: Iterable[ContentShown], how: ThinkingShown = ThinkingShown.ALL) -> list[Told]:
    blocks = ContentBlocks(how)
    return [one for event in events for one in blocks.take(event)] + list(blocks.finish())


def whole(events: Iterable[Told]) -> list[Any]:
    content: list[Any] = whole_message([{"type": "message_start", "message": {}}, *events])["content"]
    return content


def returned(content: list[Any]) -> tuple[Part, ...]:
    raw = msgspec.json.decode(msgspec.json.encode(content), type=list[msgspec.Raw])
    return READER.parts(Role.ASSISTANT, raw, "content")


def check_order(events: Iterable[Told]) -> None:
    """Blocks begin and end one after another, and their indexes have no gap."""
    index, is_open = -1, False
    for event in events:
        if event["type"] == "content_block_start":
            assert not is_open
            index, is_open = index + 1, True
        assert is_open
        assert event["index"] == index
        is_open = event["type"] != "content_block_stop"
    assert not is_open


_texts = st.text(min_size=1, max_size=20)
_marks = st.sampled_from((None, CLAUDE, GEMINI, GPT))
_parts = st.one_of(
    st.builds(TextPart, _texts),
    st.builds(ReasoningPart, _texts, _marks),
    st.sampled_from(("", "x")).flatmap(lambda text: st.just(ReasoningPart(text, GPT if text else HIDDEN))),
    st.builds(ToolCallPart, st.uuids().map(str), _texts, st.just('{"a":  [1]}'), st.sampled_from((None, GEMINI))),
    st.just(ProviderItem("anthropic", "server_tool_use", '{"type":"server_tool_use","id":"1","input":{}}')),
    st.just(ProviderItem("openai", "web_search_call", '{"type": "web_search_call",  "id": "ws_1"}')),
)


@given(
    st.lists(_parts, max_size=6, unique_by=lambda part: part.call_id if isinstance(part, ToolCallPart) else id(part))
)
def test_what_a_client_returns_is_what_the_model_wrote(parts: list[Part]) -> None:
    events = told(shown(parts))
    check_order(events)
    # Two texts in a row are one text.
    assert "".join(map(_known, returned(whole(events)))) == "".join(map(_known, parts))


def _known(part: Part) -> str:
    return part.text if isinstance(part, TextPart) else f"|{part}|"


def test_calls_that_are_written_at_once_follow_each_other() -> None:
    first, second = (ToolCallPart(name, name, '{"a": 1}') for name in ("one", "two"))
    events = told(
        [
            TextDelta("Hm."),
            ToolCallStart("one", "one"),
            ToolCallDelta("one", '{"a"'),
            ToolCallStart("two", "two"),
            ToolCallDelta("two", '{"a": '),
            ToolCallDelta("one", ": 1}"),
            TextDelta("Done."),
            ToolCallWhole(first),
            ToolCallDelta("two", "1}"),
            ToolCallWhole(second),
        ]
    )
    check_order(events)
    assert [block["type"] for block in whole(events)] == ["text", "tool_use", "tool_use", "text"]
    assert returned(whole(events)) == (TextPart("Hm."), first, second, TextPart("Done."))


def test_a_call_that_is_cut_off_ends_its_block() -> None:
    events = told([ToolCallStart("one", "one"), ToolCallDelta("one", '{"a"'), TextDelta("More.")])
    check_order(events)
    assert whole(events)[0]["input"] == {"INVALID_JSON": '{"a"'}


@pytest.mark.parametrize("how", [ThinkingShown.NOTHING, ThinkingShown.MARKS])
def test_thinking_is_shown_as_it_was_asked_for(how: ThinkingShown) -> None:
    events: list[ContentShown] = [
        ReasoningDelta("Hm."),
        Signed(GPT),
        TextDelta("Hi."),
        ToolCallStart("1", "a"),
        Signed(GEMINI, "1"),
    ]
    types = [block["type"] for block in whole(told(events, how))]
    if how is ThinkingShown.NOTHING:
        assert types == ["text", "tool_use"]
    else:
        assert types == ["thinking", "text", "redacted_thinking", "tool_use"]
        assert whole(told(events, how))[0]["thinking"] == ""


def test_citations_are_told_in_the_closest_form() -> None:
    own = msgspec.structs.replace(CLAUDE, data='{"type":"char_location","x":1}', kind="char_location")
    citations = (
        Citation(WebSource("https://a.example"), "A", "a"),
        Citation(DocumentSource(1, 2, 3), "B", "b"),
        Citation(DocumentSource(0), signature=own),
    )
    events = told([TextDelta("Hi."), *map(CitationFound, citations), PartEnd(), TextDelta("Bye.")])
    cited, plain = msgspec.json.decode(msgspec.json.encode(whole(events)))
    assert "citations" not in plain
    assert [told["type"] for told in cited["citations"]] == [
        "web_search_result_location",
        "page_location",
        "char_location",
    ]
    assert (cited["citations"][1]["start_page_number"], cited["citations"][1]["end_page_number"]) == (2, 4)
    assert cited["citations"][2]["x"] == 1
