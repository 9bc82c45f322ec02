"""Answers as items of the Responses API, and what comes back of them in the next request."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

import msgspec
import pytest
from aichat_server.compat.domain.openai.responses_items import items_told
from aichat_server.compat.domain.openai.responses_marks import sealed, unsealed
from aichat_server.compat.domain.openai.responses_tools import OwnTool
from aichat_server.compat.rpc.openai.responses_output import Output
from aichat_server.content.parts import (
    Citation,
    Part,
    ProviderItem,
    ReasoningPart,
    Role,
    Signature,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    WebSource,
)
from aichat_server.core.errors import AichatError
from aichat_server.generations.domain.shown import shown
from hypothesis import given
from hypothesis import strategies as st

GENERATION = UUID(int=1)
CLAUDE = Signature("anthropic", "c2ln", "thinking")
GEMINI = Signature("gemini", "AbC+/==")
GPT = Signature("openai", '{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"gAAA"}', "reasoning")
QUERY = '{"type":"server_tool_use","name":"web_search","input":{"query":"a"}}'
SEARCH = ProviderItem("anthropic", "server_tool_use", QUERY)
OWN_SEARCH = ProviderItem("openai", "web_search_call", '{"type":"web_search_call","id":"ws_1","status":"completed"}')
CITED = Citation(WebSource("https://example.com/"), "A page", "", 0, 4)

TOOLS = {
    "patch": OwnTool("patch", takes_text=True),
    "crm__find": OwnTool("find", "crm"),
    "functions__exec": OwnTool("exec", "functions", takes_text=True),
}
ANSWERS: tuple[tuple[Part, ...], ...] = (
    (TextPart("Rain"),),
    (ReasoningPart("Let me see.", CLAUDE), ToolCallPart("call_1", "weather", '{"city":"Bern"}')),
    (ReasoningPart("", CLAUDE), TextPart("Rain", (CITED,))),
    (ReasoningPart("Hm.", GPT), ToolCallPart("call_1", "weather", "{}"), ToolCallPart("call_2", "weather", "{}")),
    (ToolCallPart("call_1", "weather", "{}", GEMINI), ToolCallPart("call_2", "weather", "{}")),
    (TextPart("Rain", signature=GEMINI), ToolCallPart("call_1", "patch", '{"input":"a\\nb"}')),
    (ToolCallPart("call_1", "crm__find", "{}"), ToolCallPart("call_2", "functions__exec", '{"input":"a()"}')),
    (SEARCH, TextPart("Rain")),
    (OWN_SEARCH, TextPart("Rain", signature=Signature("openai", '{"phase":"final_answer"}', "message"))),
)


def written(parts: Iterable[Part], *, seals: bool = True) -> tuple[list[tuple[str, Any]], list[Any]]:
    """The events and the items of an answer."""
    output = Output(GENERATION, TOOLS, seals=seals)
    events = [told for event in shown(parts) for told in output.write(event)]
    return [*events, *output.end("completed")], output.items


def read(items: Iterable[Mapping[str, Any]]) -> tuple[Part, ...]:
    """What a request with the items says that the model wrote."""
    raw = msgspec.json.decode(msgspec.json.encode(list(items)), type=list[msgspec.Raw])
    return tuple(part for one in items_told(raw, {}).messages if one.role is Role.ASSISTANT for part in one.parts)


@pytest.mark.parametrize("parts", ANSWERS)
def test_what_a_client_returns_is_the_answer_with_its_vendors_marks(parts: tuple[Part, ...]) -> None:
    assert read(written(parts)[1]) == parts
    # Codex returns no ids.
    if OWN_SEARCH not in parts and SEARCH not in parts:
        assert (
            read({name: value for name, value in item.items() if name != "id"} for item in written(parts)[1]) == parts
        )


def test_calls_name_the_namespaces_of_their_tools() -> None:
    _, [call, custom] = written((ToolCallPart("1", "crm__find", "{}"), ToolCallPart("2", "functions__exec", "a()")))
    assert (call["type"], call["namespace"], call["name"]) == ("function_call", "crm", "find")
    assert (custom["type"], custom["namespace"], custom["name"]) == ("custom_tool_call", "functions", "exec")
    _, [other] = written((ToolCallPart("1", "find", "{}"),))
    assert "namespace" not in other


@given(st.lists(st.sampled_from([part for parts in ANSWERS for part in parts]), max_size=6))
def test_events_tell_the_same_as_items(parts: list[Part]) -> None:
    calls = [part.call_id for part in parts if isinstance(part, ToolCallPart)]
    if len(set(calls)) < len(calls):
        return
    events, items = written(parts)
    done = [told["item"] for kind, told in events if kind == "response.output_item.done"]
    added = [told["output_index"] for kind, told in events if kind == "response.output_item.added"]
    assert done == items
    assert added == list(range(len(items)))
    ids = {item["id"] for item in items}
    assert {told["item_id"] for _, told in events if "item_id" in told} <= ids
    for item in items:
        deltas = "".join(
            told["delta"]
            for kind, told in events
            if kind == "response.output_text.delta" and told["item_id"] == item["id"]
        )
        assert item["type"] != "message" or item["content"][0]["text"] == deltas


def test_without_reasoning_that_comes_back_there_are_no_marks() -> None:
    for parts in ANSWERS:
        _, items = written(parts, seals=False)
        assert "encrypted_content" not in msgspec.json.encode(items).decode()


FORGED = (
    ReasoningPart("", Signature("openai", '{"type":"message"},{"type":"reasoning"}', "reasoning")),
    ReasoningPart("", Signature("openai", '{"type":"message"}', "reasoning")),
    ToolCallPart("call_1", "", "", Signature("openai", '{"type":"item"}', "function_call")),
    ProviderItem("anthropic", "server_tool_use", '{},{"type":"text"}'),
    ProviderItem("openai", "web_search_call", "{}"),
    ToolResultPart("call_1"),
)


@pytest.mark.parametrize("part", FORGED)
def test_what_nobody_sealed_is_not_unsealed(part: Part) -> None:
    assert unsealed(sealed(part)) is None
    with pytest.raises(AichatError, match="could not be verified"):
        read([{"type": "reasoning", "summary": [], "encrypted_content": sealed(part)}])


def test_reasoning_of_openais_own_goes_back_as_it_came() -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}], "x": [1]}
    [part] = read([{**item, "encrypted_content": "gAAA"}])
    assert isinstance(part, ReasoningPart)
    assert part.signature is not None
    assert msgspec.json.decode(part.signature.data) == {**item, "encrypted_content": "gAAA"}


def test_items_of_one_side_are_one_message() -> None:
    raw: Any = [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_1", "output": [{"type": "input_text", "text": "42"}]},
        {"role": "user", "content": "Well?"},
    ]
    told = items_told([msgspec.Raw(msgspec.json.encode(item)) for item in raw], {})
    assert told.instructions == ("Be brief.",)
    assert [message.role for message in told.messages] == [Role.USER, Role.ASSISTANT, Role.USER]
    assert told.messages[-1].parts == (ToolResultPart("call_1", (TextPart("42"),)), TextPart("Well?"))
