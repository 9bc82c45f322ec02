"""The meaning of both of OpenAI's streams: calls, reasoning, citations and items; and which of the two it is."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest
from aichat_server.content.parts import (
    Citation,
    ProviderItem,
    ReasoningPart,
    Signature,
    TextPart,
    ToolCallPart,
    WebSource,
)
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.content import AnswerContent
from aichat_server.models.domain.models import ServiceTier
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import ProviderEvent, Sent, Stop, StopReason, UsageReport
from aichat_server.providers.domain.requests import ChatOptions, ProviderRequest, Tool
from aichat_server.providers.gateway.answer import AnswerReader
from aichat_server.providers.gateway.chat_completions_reader import ChatCompletionsReader
from aichat_server.providers.gateway.either_reader import EitherReader
from aichat_server.providers.gateway.responses_reader import ResponsesReader
from aichat_server.providers.gateway.sse import BrokenStreamError

from tests.unit.providers.reading import REQUEST, chunk, framed

ASKED = ProviderRequest(
    "m", REQUEST.prompt, 100, ChatOptions(tools=(Tool("look"),)), tier_percents={ServiceTier.FLEX: 50}
)
COUNTS = {"prompt_tokens": 10, "completion_tokens": 20}
USAGE = {
    "input_tokens": 100, "input_tokens_details": {"cached_tokens": 60, "cache_write_tokens": 30},
    "output_tokens": 20, "output_tokens_details": {"reasoning_tokens": 5},
}  # fmt: skip
REASONED = '{"id": "rs_1",  "type":"reasoning","summary":[],"encrypted_content":"x="}'
FOUND = '{"id":"ws_1","type":"web_search_call","action":{"type":"search"}}'


def read(reader: AnswerReader, *payloads: object) -> tuple[AnswerContent, list[ProviderEvent]]:
    """Returns the content of a stream of these payloads, and its last events."""
    content = AnswerContent()
    events = [*reader.read(framed(*payloads)), *reader.finish()]
    for event in events:
        if not isinstance(event, UsageReport | Sent | Stop):
            content.take(event)
    return content, events


def response(*payloads: object) -> tuple[AnswerContent, list[ProviderEvent]]:
    return read(ResponsesReader("openai", ASKED), {"type": "response.created", "response": {}}, *payloads)


def completion(*payloads: object) -> tuple[AnswerContent, list[ProviderEvent]]:
    return read(ChatCompletionsReader("other", ASKED), *payloads)


def event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **fields}


def done(item: str, place: int = 0) -> bytes:
    """Returns the end of an item, which stands in the event as it is."""
    return f'{{"type":"response.output_item.done","output_index":{place},"item":{item}}}'.encode()


def thinks(text: str) -> dict[str, Any]:
    return event("reasoning_summary_text.delta", delta=text)


def ended(kind: str = "completed", **fields: Any) -> dict[str, Any]:
    return event(kind, response={"usage": USAGE, "service_tier": "default", **fields})


def begins(kind: str, place: int = 0, **fields: Any) -> dict[str, Any]:
    return event("output_item.added", output_index=place, item={"type": kind, **fields})


TEXT = [event("output_text.delta", delta="Gü"), event("output_text.delta", delta="ezi")]
MESSAGE = [begins("message"), *TEXT, event("output_text.done", text="Güezi"), done('{"type":"message","id":"msg_1"}')]


def test_the_items_of_a_response() -> None:
    note = {"type": "url_citation", "url": "https://a.example", "title": "A", "start_index": 0, "end_index": 2}
    content, events = response(
        begins("reasoning"),
        *[one for text in ("Hm.", "Well.") for one in (event("reasoning_summary_part.added"), thinks(text))],
        done(REASONED),
        begins("web_search_call", 1),
        done(FOUND, 1),
        begins("reasoning", 2),
        done(REASONED, 2),
        begins("message", 3),
        *TEXT,
        event("output_text.annotation.added", annotation=note),
        event("output_text.done", text="Güezi"),
        done('{"type":"message","id":"msg_1","status":"completed","phase":"commentary","content":[]}', 3),
        begins("function_call", 4, call_id="c1", name="look"),
        event("function_call_arguments.delta", output_index=4, delta='{"at"'),
        event("function_call_arguments.delta", output_index=4, delta=": 1}"),
        done('{"type":"function_call","id":"fc_1","call_id":"c1","name":"look","arguments":"{\\"at\\": 1}"}', 4),
        # A server that tells a call only at its end.
        done('{"type":"function_call","call_id":"c2","name":"look","arguments":"{}"}', 5),
        ended(tool_usage={"web_search": {"num_requests": 1}}),
    )
    signed = Signature("openai", REASONED, "reasoning")
    cited = (Citation(WebSource("https://a.example"), "A", "", 0, 2),)
    head = '{"id":"msg_1","status":"completed","phase":"commentary"}'
    assert content.parts() == (
        ReasoningPart("Hm.\n\nWell.", signed),
        ProviderItem("openai", "web_search_call", FOUND),
        ReasoningPart("", signed),
        TextPart("Güezi", cited, Signature("openai", head, "message")),
        ToolCallPart("c1", "look", '{"at": 1}', Signature("openai", '{"id":"fc_1"}', "function_call")),
        ToolCallPart("c2", "look", "{}", Signature("openai", "{}", "function_call")),
    )
    *_, report, stop = events
    assert stop == Stop(StopReason.TOOL_USE)
    assert isinstance(report, UsageReport)
    assert report.usage == Usage(10, cache_read=60, cache_write=30, output=20, reasoning=5, web_searches=1)


def test_a_message_without_text_and_messages_behind_one_another() -> None:
    content, events = response(begins("message"), done('{"type":"message","id":"msg_0"}'), *MESSAGE, *MESSAGE, ended())
    part = TextPart("Güezi", (), Signature("openai", '{"id":"msg_1"}', "message"))
    assert content.parts() == (part, part)
    assert events[-1] == Stop(StopReason.END_TURN)


def test_a_lone_surrogate_and_odd_items_break_nothing() -> None:
    odd = b'{"type":"response.output_item.done","item":{"type":"tool_search_call","arguments":{"a":"\\ud83d"},"id":7}}'
    content, _ = response(odd, *MESSAGE, ended())
    assert [type(part) for part in content.parts()] == [ProviderItem, TextPart]


@pytest.mark.parametrize(
    ("last", "reason"),
    [
        (ended("incomplete", incomplete_details={"reason": "max_output_tokens"}), StopReason.MAX_TOKENS),
        (ended("incomplete", incomplete_details={"reason": "something new"}), StopReason.OTHER),
        (ended("incomplete", incomplete_details={"reason": "content_filter"}), Reason.ANSWER_REFUSED),
        (ended("failed", error={"code": "rate_limit_exceeded", "message": "Slow"}), Reason.PROVIDER_RATE_LIMITED),
        (ended("failed", error={"code": "image_too_large", "message": "Big"}), Reason.PROVIDER_REQUEST_REJECTED),
        ({"type": "error", "error": {"code": "insufficient_quota"}}, Reason.PROVIDER_CREDENTIALS_REJECTED),
        ({"type": "error", "code": "server_error", "message": "Oh"}, Reason.PROVIDER_UNAVAILABLE),
        ({"error": {"type": "server_error"}}, Reason.PROVIDER_UNAVAILABLE),
    ],
)
def test_how_a_response_ends(last: dict[str, Any], reason: StopReason | Reason) -> None:
    if isinstance(reason, StopReason):
        assert response(*MESSAGE, last)[1][-1] == Stop(reason)
        return
    with pytest.raises(AichatError) as caught:
        response(*MESSAGE, last)
    assert caught.value.reason is reason


def test_a_refusal_and_a_cut_response() -> None:
    with pytest.raises(AichatError) as caught:
        response(event("refusal.delta", delta="I cannot."), ended())
    assert caught.value.reason is Reason.ANSWER_REFUSED
    with pytest.raises(BrokenStreamError):
        response(*MESSAGE)


def test_a_call_that_the_limit_cuts_off_is_not_whole() -> None:
    cut = begins("function_call", call_id="c1", name="look")
    argued = event("function_call_arguments.delta", delta='{"a')
    item = '{"type":"function_call","status":"incomplete","call_id":"c1","name":"look","arguments":"{\\"a"}'
    last = ended("incomplete", incomplete_details={"reason": "max_output_tokens"})
    content, events = response(cut, argued, done(item), last)
    assert (content.parts(), events[-1]) == ((), Stop(StopReason.MAX_TOKENS))
    calls = chunk({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "look", "arguments": '{"a'}}]})
    content, events = completion(calls, chunk({}, "length", usage=COUNTS))
    assert (content.parts(), events[-1]) == ((), Stop(StopReason.MAX_TOKENS))


def test_the_class_of_service_has_its_price() -> None:
    for served, percent in (("flex", 50), ("default", 100)):
        _, events = response(*MESSAGE, ended(service_tier=served))
        assert isinstance(events[-2], UsageReport)
        assert events[-2].usage.percent == percent
        _, events = completion(chunk({"content": "Hi"}, "stop", usage=COUNTS, service_tier=served))
        assert isinstance(events[-2], UsageReport)
        assert events[-2].usage.percent == percent


def piece(name: str | None = None, arguments: Any = None, **told: Any) -> dict[str, Any]:
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    return {**told, "type": "function", "function": function}


CALLED = [("look", '{"at": 1}'), ("look", '{"at": 2}')]


@pytest.mark.parametrize(
    "deltas",
    [
        # OpenAI's: pieces by their index.
        [[piece("look", "", index=0, id="a")], [piece(arguments='{"at"', index=0)], [piece(arguments=": 1}", index=0)],
         [piece("look", '{"at": 2}', index=1, id="b")]],
        # Both at once, and pieces in turn.
        [[piece("look", '{"at"', index=0, id="a"), piece("look", '{"at"', index=1, id="b")],
         [piece(arguments=": 1}", index=0), piece(arguments=": 2}", index=1)]],
        # Alibaba's empty ids; names that are repeated.
        [[piece("look", '{"at"', index=0, id="a")], [piece("look", ": 1}", index=0, id="")],
         [piece("look", '{"at": 2}', index=1, id="b")]],
        # One index for all, with ids and without.
        [[piece("look", '{"at": 1}', index=0, id="a")], [piece("look", '{"at": 2}', index=0, id="b")]],
        [[piece("look", '{"at": 1}', index=0, id="")], [piece("look", '{"at": 2}', index=0, id="")]],
        # Neither index nor id; arguments as an object; the same id twice.
        [[piece("look", '{"at"')], [piece(arguments=": 1}")], [piece("look", '{"at": 2}')]],
        [[piece("look", {"at": 1}, index=0, id="a"), piece("look", {"at": 2}, index=1, id="a")]],
    ],
)  # fmt: skip
@pytest.mark.parametrize("finish", ["tool_calls", "function_call", "stop"])
def test_calls_of_completions_however_servers_number_them(deltas: list[list[dict[str, Any]]], finish: str) -> None:
    chunks = [chunk({"tool_calls": calls}) for calls in deltas]
    content, events = completion(*chunks, chunk({}, finish, usage=COUNTS), b"[DONE]")
    calls = [part for part in content.parts() if isinstance(part, ToolCallPart)]
    told = [(call.name, json.loads(call.arguments)) for call in calls]
    assert told == [(name, json.loads(arguments)) for name, arguments in CALLED]
    assert len({call.call_id for call in calls}) == 2
    assert events[-1] == Stop(StopReason.TOOL_USE)


def test_what_else_completions_bring() -> None:
    link = {"url": "https://b.example", "title": "B", "start_index": 0, "end_index": 2}
    tool = {"index": 0, "type": "search", "output": "found"}
    content, _ = completion(
        chunk({"reasoning": "Hm", "reasoning_details": [{"type": "reasoning.text", "text": "H", "index": 0}]}),
        chunk({"reasoning": ".", "reasoning_details": [{"type": "reasoning.text", "text": "m", "index": 0}]}),
        chunk({"executed_tools": [{"index": 0, "type": "search"}]}),
        chunk({"executed_tools": [tool]}),
        chunk({"content": "Güezi"}, search_results=[{"url": "https://a.example", "title": "A"}]),
        chunk({"annotations": [{"type": "url_citation", "url_citation": link}]}),
        chunk({}, "stop", usage=COUNTS, citations=["https://a.example", "https://b.example", "https://c.example"]),
    )
    details = '[{"type":"reasoning.text","text":"Hm","index":0}]'
    reasoning, item, text = content.parts()
    assert reasoning == ReasoningPart("Hm.", Signature("other", details, "reasoning_details"))
    assert item == ProviderItem("other", "executed_tools", json.dumps(tool, separators=(",", ":")))
    assert isinstance(text, TextPart)
    urls = [citation.source.url for citation in text.citations if isinstance(citation.source, WebSource)]
    assert urls == ["https://a.example", "https://b.example", "https://c.example"]


@pytest.mark.parametrize(
    ("payloads", "found"),
    [
        ([{"type": "response.created"}, *MESSAGE, ended()], False),
        ([chunk({"content": "Güezi"}, "stop", usage=COUNTS), b"[DONE]"], True),
        ([{"prompt_filter_results": [], "choices": []}, chunk({"content": "Güezi"}, "stop", usage=COUNTS)], True),
        ([{"id": "nothing known"}, chunk({"content": "Güezi"}, "stop", usage=COUNTS)], True),
    ],
)
def test_either_of_the_two_is_read(payloads: list[object], *, found: bool) -> None:
    made = list[ChatCompletionsReader]()

    def make() -> AnswerReader:
        made.append(ChatCompletionsReader("openai", ASKED))
        return made[0]

    reader = EitherReader(ResponsesReader("openai", ASKED), make)
    content, events = read(reader, *payloads)
    assert "".join(part.text for part in content.parts() if isinstance(part, TextPart)) == "Güezi"
    assert events[-1] == Stop(StopReason.END_TURN)
    assert (bool(made), reader.used, reader.speaking, reader.ended) == (found, True, True, reader.ended)
    assert (reader.report().usage.output, reader.written) == (20, len("Güezi".encode()))


def test_an_error_ahead_of_all_decides_nothing() -> None:
    reader = EitherReader(ResponsesReader("openai", ASKED), partial(pytest.fail, "it is no completion"))
    with pytest.raises(AichatError) as caught:
        read(reader, {"error": {"type": "server_error"}})
    assert caught.value.reason is Reason.PROVIDER_UNAVAILABLE
