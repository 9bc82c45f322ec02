"""What Gemini's parts mean, with payloads from its traffic and documentation."""

from __future__ import annotations

import json
from typing import Any

import pytest
from aichat_server.content.parts import (
    Citation,
    Part,
    ProviderItem,
    ReasoningPart,
    Role,
    Signature,
    TextPart,
    ToolCallPart,
    WebSource,
)
from aichat_server.generations.domain.content import AnswerContent
from aichat_server.providers.domain.events import Sent, Stop, StopReason, UsageReport
from aichat_server.providers.domain.requests import ChatOptions, PathMessage, Prompt, ProviderRequest, Tool, WebSearch
from aichat_server.providers.gateway.gemini_reader import GeminiReader
from aichat_server.providers.gateway.sse import BrokenStreamError

from tests.unit.providers.reading import candidate, framed

OFFERED = ChatOptions(tools=(Tool("look"),), web_search=WebSearch())
Answer = tuple[list[Part], StopReason, UsageReport]


def read(*chunks: dict[str, Any], options: ChatOptions = OFFERED, model: str = "gemini-3.8-flash") -> Answer:
    """Returns the answer's parts, why it ended, and its usage."""
    request = ProviderRequest(model, Prompt((PathMessage(Role.USER, (TextPart("Hi"),)),)), 1000, options)
    reader = GeminiReader("gemini", request)
    content = AnswerContent()
    *events, report, stop = [*reader.read(framed(*chunks)), *reader.finish()]
    for event in events:
        if not isinstance(event, UsageReport | Sent | Stop):
            content.take(event)
    assert isinstance(report, UsageReport)
    assert isinstance(stop, Stop)
    return list(content.parts()), stop.reason, report


def call(name: str | None = None, mark: str | None = None, **more: Any) -> dict[str, Any]:
    told = {"functionCall": ({"name": name} if name else {}) | more}
    return told | ({"thoughtSignature": mark} if mark else {})


def piece(path: str, **value: Any) -> dict[str, Any]:
    return call(partialArgs=[{"jsonPath": path, **value}], willContinue=True)


def own(data: str, kind: str = "") -> Signature:
    return Signature("gemini", data, kind)


TOOL_CALL = {"toolCall": {"toolType": "GOOGLE_SEARCH_WEB", "id": "x"}, "thoughtSignature": "s"}
DONE = candidate({"text": ""}, finish="STOP")


@pytest.mark.parametrize(
    ("chunks", "parts"),
    [
        (
            [candidate({"text": "a"}), candidate({"text": "b"}), candidate({"text": "", "thoughtSignature": "s"})],
            [TextPart("ab", signature=own("s", "text"))],
        ),
        (
            [candidate({"text": "a", "thoughtSignature": "s"}), candidate({"text": "b"})],
            [TextPart("a", signature=own("s", "text")), TextPart("b")],
        ),
        (
            [candidate({"text": "Hm", "thought": True}, {"text": ".", "thought": True, "thoughtSignature": "s"},
                       {"text": "Hi"})],
            [ReasoningPart("Hm.", own("s")), TextPart("Hi")],
        ),
        (
            [candidate({"text": "Hm", "thought": True}, {"thoughtSignature": "s"}, {"text": "Hi"})],
            [ReasoningPart("Hm"), ReasoningPart("", own("s", "text")), TextPart("Hi")],
        ),
        (
            [candidate({"text": "a"}, TOOL_CALL, {"text": "b"})],
            [TextPart("a"), ProviderItem("gemini", "toolCall", json.dumps(TOOL_CALL)), TextPart("b")],
        ),
    ],
)  # fmt: skip
def test_each_part_has_the_mark_that_came_on_it(chunks: list[dict[str, Any]], parts: list[Part]) -> None:
    assert read(*chunks, DONE)[:2] == (parts, StopReason.END_TURN)


def test_calls_whole_and_piece_by_piece() -> None:
    parts, stop, _ = read(
        candidate(call("look", "s", id="c1", args={"at": [1.5, "ü"]})),
        candidate(call("look", willContinue=True)),
        candidate(piece("$.id", stringValue="A", willContinue=True), piece("$.id", stringValue="B")),
        candidate(piece("$.list[0]['a b']", numberValue=1), piece("$.list[1]", nullValue="NULL_VALUE")),
        candidate(call()),
        # Its end never comes.
        candidate(call("look", id="c1", willContinue=True), piece("$.on", boolValue=True)),
        DONE,
    )
    calls = [part for part in parts if isinstance(part, ToolCallPart)]
    whole = '{"at":[1.5,"ü"]}', '{"id":"AB","list":[{"a b":1},null]}', '{"on":true}'
    assert (tuple(part.arguments for part in calls), stop) == (whole, StopReason.TOOL_USE)
    assert len(calls) == len(parts) == len({part.call_id for part in calls})
    assert [part.signature for part in calls] == [own("s"), None, None]


def test_a_caller_who_takes_one_call_at_a_time_gets_the_first_with_its_mark() -> None:
    one, other = call("look", "s", id="c1", args={"at": 1}), call("look", id="c2", args={"at": 2})
    in_pieces = (call("look", "t", willContinue=True), piece("$.at", numberValue=3), call())
    options = ChatOptions(tools=(Tool("look"),), parallel_tool_calls=False)
    first = [TextPart("Hm."), ToolCallPart("c1", "look", '{"at":1}', own("s"))]
    for chunks in ([candidate({"text": "Hm."}, one, other), candidate(*in_pieces)], [candidate({"text": "Hm."}, one)]):
        usage = {"promptTokenCount": 9, "candidatesTokenCount": 40}
        parts, stop, report = read(*chunks, {**DONE, "usageMetadata": usage}, options=options)
        assert (parts, stop, report.usage.output) == (first, StopReason.TOOL_USE, 40)


def test_a_call_that_the_limit_cuts_off_is_left_out() -> None:
    cut = candidate({"text": "a"}, call("look", willContinue=True), piece("$.id", stringValue="A"), finish="MAX_TOKENS")
    assert read(cut)[:2] == ([TextPart("a")], StopReason.MAX_TOKENS)


@pytest.mark.parametrize("path", ["", "id", "$..id", "$.a[7]", "$[0]", "$.a.b.c[0].d"])
def test_arguments_without_a_place_are_a_broken_stream(path: str) -> None:
    with pytest.raises(BrokenStreamError):
        read(candidate(call("look", willContinue=True), piece("$.a.b", stringValue="x"), piece(path, stringValue="x")))


def test_a_call_of_tools_that_nobody_offered_ends_no_turn() -> None:
    _, stop, _ = read(candidate({"text": "a"}, call("look"), finish="STOP"), options=ChatOptions())
    assert stop is StopReason.END_TURN


def test_passages_are_cited_in_code_points_of_their_part() -> None:
    grounding = {
        "webSearchQueries": ["a", " ", "b"],
        "groundingChunks": [{"web": {"uri": "https://a.example", "title": "A"}}, {"web": {"uri": "https://b.example"}}],
        "groundingSupports": [
            {"segment": {"endIndex": 7, "text": "Grüezi"}, "groundingChunkIndices": [0, 1, 9]},
            {"segment": {"startIndex": 99, "endIndex": 105, "text": "Zürich"}, "groundingChunkIndices": [1]},
            {"segment": {"startIndex": 3, "endIndex": 999}, "groundingChunkIndices": [1]},
        ],
    }
    last = candidate({"text": "", "thoughtSignature": "s"}, finish="STOP")
    last["candidates"][0] |= {"groundingMetadata": grounding}
    told = candidate({"text": "Grüezi Zür"})
    told["candidates"][0] |= {"groundingMetadata": {"webSearchQueries": ["a"]}}
    [part], _, report = read(told, candidate({"text": "ich"}), last)
    a, b = WebSource("https://a.example"), WebSource("https://b.example")
    assert part == TextPart(
        "Grüezi Zürich",
        (Citation(a, "A", start=0, end=6), Citation(b, start=0, end=6), Citation(b, start=7, end=13), Citation(b)),
        own("s", "text"),
    )
    assert report.usage.web_searches == 2


def test_other_sources_are_cited_too() -> None:
    told = candidate({"text": "Hello there"}, finish="STOP")
    told["candidates"][0] |= {
        "citationMetadata": {"citationSources": [{"startIndex": 6, "endIndex": 11, "uri": "https://a.example"}, {}]},
        "urlContextMetadata": {"urlMetadata": [{"retrievedUrl": "https://a.example"}, {"retrievedUrl": "https://b.example"}]},
        "groundingMetadata": {"groundingChunks": [{"retrievedContext": {"text": "Paris is.", "title": "T"}}]},
    }  # fmt: skip
    [part], _, report = read(told)
    quoted = Citation(WebSource("https://a.example"), start=6, end=11)
    assert part == TextPart(
        "Hello there", (Citation(WebSource(""), "T", "Paris is."), quoted, Citation(WebSource("https://b.example")))
    )
    assert report.usage.web_searches == 0


@pytest.mark.parametrize(
    ("model", "options", "searches"),
    [("gemini-3.8-flash", OFFERED, 2), ("gemini-2.5-pro", OFFERED, 1), ("gemini-3.8-flash", ChatOptions(), 0)],
)
def test_searches_are_counted_as_google_charges_for_them(model: str, options: ChatOptions, searches: int) -> None:
    told = candidate({"text": "Yes."}, finish="STOP")
    told["candidates"][0] |= {"groundingMetadata": {"webSearchQueries": ["a", "b"]}}
    assert read(told, model=model, options=options)[2].usage.web_searches == searches


@pytest.mark.parametrize("grounding", [7, {"groundingSupports": [None]}, {"groundingChunks": [{"web": None}, {}]}])
def test_sources_in_another_form_break_no_answer(grounding: object) -> None:
    told = candidate({"text": "Yes."}, finish="STOP")
    told["candidates"][0] |= {"groundingMetadata": grounding, "citationMetadata": [], "urlContextMetadata": "x"}
    [part], stop, _ = read(told)
    assert isinstance(part, TextPart)
    assert (part.text, stop) == ("Yes.", StopReason.END_TURN)
