"""What Claude answers besides text: thinking, calls of tools, its own tools and citations. Nothing is left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aichat_server.content.parts import (
    Citation,
    DocumentSource,
    Part,
    ProviderItem,
    ReasoningPart,
    Signature,
    TextPart,
    ToolCallPart,
    WebSource,
)
from aichat_server.generations.domain.content import AnswerContent
from aichat_server.providers.domain.events import Sent, Stop, StopReason, ToolCallEnd, UsageReport
from aichat_server.providers.gateway.claude_reader import ClaudeReader
from aichat_server.providers.gateway.sse import BrokenStreamError

from tests.unit.providers.reading import REQUEST, framed

NAME = "anthropic"
WEB = {
    "type": "web_search_result_location", "url": "https://a/", "title": "A", "cited_text": "q", "encrypted_index": "i",
}  # fmt: skip
PAGES = {
    "type": "page_location", "document_index": 1, "document_title": None, "cited_text": "q", "start_page_number": 2,
    "end_page_number": 4,
}  # fmt: skip


def block(first: dict[str, Any], *deltas: dict[str, Any], index: int = 0, ends: bool = True) -> list[dict[str, Any]]:
    """Returns the events of a content block."""
    events = [{"type": "content_block_start", "index": index, "content_block": first}]
    events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return [*events, *([{"type": "content_block_stop", "index": index}] if ends else [])]


def text(*texts: str, cites: tuple[dict[str, Any], ...] = ()) -> list[dict[str, Any]]:
    cited = [{"type": "citations_delta", "citation": citation} for citation in cites]
    return block({"type": "text", "text": ""}, *cited, *({"type": "text_delta", "text": one} for one in texts))


def thinking(said: str, signature: str) -> list[dict[str, Any]]:
    deltas: list[dict[str, Any]] = [{"type": "thinking_delta", "thinking": said}] if said else []
    deltas += [{"type": "signature_delta", "signature": signature}] if signature else []
    return block({"type": "thinking", "thinking": "", "signature": ""}, *deltas)


def calling(*pieces: str, given: object = None, **more: Any) -> list[dict[str, Any]]:
    deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
    return block({"type": "tool_use", "id": "t1", "name": "look", "input": given or {}}, *deltas, **more)


def parts(*events: dict[str, Any], stop: str = "end_turn") -> tuple[Part, ...]:
    """Returns what an answer of these events is stored as."""
    end = {"type": "message_delta", "delta": {"stop_reason": stop}, "usage": {"output_tokens": 5}}
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 1}}}
    reader, content = ClaudeReader(NAME, REQUEST), AnswerContent()
    for event in reader.read(framed(start, *events, end, {"type": "message_stop"})):
        if not isinstance(event, UsageReport | Sent | Stop):
            content.take(event)
    return content.parts()


def thought(said: str, data: str, kind: str = "thinking") -> ReasoningPart:
    return ReasoningPart(said, Signature(NAME, data, kind))


def item(kind: str, json: str) -> ProviderItem:
    return ProviderItem(NAME, kind, json)


def cited(
    citation: dict[str, Any], source: WebSource | DocumentSource, start: int, end: int, title: str = ""
) -> Citation:
    signature = Signature(NAME, json.dumps(citation), citation["type"])
    return Citation(source, title=title, quote="q", start=start, end=end, signature=signature)


SEARCH = {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {}}
SEARCHED = '{"type":"server_tool_use","id":"s1","name":"web_search","input":{"query": "x"}}'
FOUND = {
    "type": "web_search_tool_result",
    "tool_use_id": "s1",
    "content": [{"url": "https://ü/", "encrypted_content": ""}],
}
COMPACTED = {"type": "compaction", "content": None}
NEW = {"type": "something_new", "x": [1]}
BY_A = (cited(WEB, WebSource("https://a/"), 0, 9, "A"),)
BY_BOTH = (cited(WEB, WebSource("https://a/"), 4, 8, "A"), cited(PAGES, DocumentSource(1, 2, 3), 4, 8))


@pytest.mark.parametrize(
    ("events", "meant"),
    [
        ([*thinking("Hm.", "c2ln"), *text("Hi")], (thought("Hm.", "c2ln"), TextPart("Hi"))),
        ([*text("Hi"), *thinking("", "c2ln"), *text("!")], (TextPart("Hi"), thought("", "c2ln"), TextPart("!"))),
        ([*thinking("a", ""), *thinking("b", "c2ln")], (ReasoningPart("a"), thought("b", "c2ln"))),
        (block({"type": "redacted_thinking", "data": "ZA=="}), (thought("", "ZA==", "redacted_thinking"),)),
        (calling("", '{"at": ', '"Zürich"}'), (ToolCallPart("t1", "look", '{"at": "Zürich"}'),)),
        (calling(), (ToolCallPart("t1", "look", ""),)),
        (calling(given={"at": 1}), (ToolCallPart("t1", "look", '{"at": 1}'),)),
        (
            block(SEARCH, {"type": "input_json_delta", "partial_json": '{"query": "x"}'}),
            (item("server_tool_use", SEARCHED),),
        ),
        (block(FOUND), (item("web_search_tool_result", json.dumps(FOUND)),)),
        (
            block(COMPACTED, {"type": "compaction_delta", "content": "All."}),
            (item("compaction", '{"type":"compaction","content":"All."}'),),
        ),
        (block(NEW), (item("something_new", json.dumps(NEW)),)),
        (text("It ", "rains.", cites=(WEB,)), (TextPart("It rains.", BY_A),)),
        ([*text("So: "), *text("rain", cites=(WEB, PAGES)), *text(".")], (TextPart("So: rain.", BY_BOTH),)),
    ],
)
def test_every_block_becomes_a_part(events: list[dict[str, Any]], meant: tuple[Part, ...]) -> None:
    assert parts(*events) == meant


@pytest.mark.parametrize(("stop", "is_whole"), [("max_tokens", False), ("tool_use", True)])
def test_a_call_cut_off_by_the_limit_is_not_whole(stop: str, is_whole: bool) -> None:
    assert parts(*calling('{"at": "Zü'), stop=stop) == ((ToolCallPart("t1", "look", '{"at": "Zü'),) if is_whole else ())
    assert parts(*calling('{"at": 1}', ends=False), stop=stop) == ()


def test_a_message_that_begins_again_does_not_mix_with_the_first() -> None:
    again = {"type": "message_start", "message": {"usage": {"input_tokens": 1}}}
    whole = parts(*calling('{"a', ends=False), again, *text("Hi"), stop="tool_use")
    assert whole == (TextPart("Hi"),)


def test_lone_surrogates_break_nothing() -> None:
    reader = ClaudeReader(NAME, REQUEST)
    started = b'{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"\\ud83d"}}'
    cites = b'{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"url":"\\ud83d"}}}'
    delta = b'{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"\\ud83d"}}'
    ends = b'{"type":"content_block_stop","index":0}'
    events = list(reader.read(framed(started, cites, delta, ends)))
    assert len(events) == 4


def test_a_value_nested_too_deeply_ends_in_a_told_failure() -> None:
    deep = "[" * 200_000
    assert parts(*calling(deep), stop="tool_use") == (ToolCallPart("t1", "look", deep),)
    started = b'{"type":"content_block_start","content_block":{"type":"new","x":' + deep.encode()
    with pytest.raises(BrokenStreamError):
        list(ClaudeReader(NAME, REQUEST).read(framed(started)))


def test_a_paused_turn_is_not_the_models_end() -> None:
    reader = ClaudeReader(NAME, REQUEST)
    paused = {"type": "message_delta", "delta": {"stop_reason": "pause_turn"}, "usage": {"output_tokens": 5}}
    list(reader.read(framed(*text("Hi"), *block(SEARCH), paused)))
    assert [event for event in reader.finish() if isinstance(event, Stop | ToolCallEnd)] == [Stop(StopReason.OTHER)]
