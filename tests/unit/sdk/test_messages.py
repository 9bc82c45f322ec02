"""Options of a request, and what helpers read from messages."""

from __future__ import annotations

from typing import Any

import pytest
from aichat.v1 import models_pb2, options_pb2
from aichat_sdk import AsyncAIChat, citations, message_text, reasoning_text, tool_calls, types

from tests.unit.sdk.scripted import ScriptedServer, answer

ONE = options_pb2.ToolChoice(mode=options_pb2.TOOL_CHOICE_MODE_ONE, name="add")
NONE = options_pb2.ToolChoice(mode=options_pb2.TOOL_CHOICE_MODE_NONE)
SEARCH: dict[str, Any] = {"max_searches": 2, "allowed_domains": ["example.com"]}
OPTIONS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"top_p": 0.5, "seed": 0, "cache": False}, {"top_p": 0.5, "seed": 0, "cache": False}),
    ({"service_tier": "flex"}, {"service_tier": models_pb2.SERVICE_TIER_FLEX}),
    ({"long_history": "refuse"}, {"long_history": options_pb2.LONG_HISTORY_REFUSE}),
    ({"web_search": True}, {"web_search": options_pb2.WebSearch()}),
    ({"web_search": types.WebSearch(**SEARCH)}, {"web_search": options_pb2.WebSearch(**SEARCH)}),
    ({"web_search": False, "tools": None, "tool_choice": None, "response_format": None}, {}),
    ({"tool_choice": "add", "parallel_tool_calls": False}, {"tool_choice": ONE, "parallel_tool_calls": False}),
    ({"tool_choice": "none"}, {"tool_choice": NONE}),
    (
        {"tool_choice": types.ToolChoice(mode=types.ToolChoiceMode.ONE, name="none")},
        {"tool_choice": options_pb2.ToolChoice(mode=options_pb2.TOOL_CHOICE_MODE_ONE, name="none")},
    ),
    (
        {"response_format": {"type": "object", "title": "My answer"}},
        {"response_format": {"json_schema": '{"type": "object", "title": "My answer"}', "name": "My_answer"}},
    ),
]


@pytest.mark.parametrize(("given", "sent"), OPTIONS, ids=range(len(OPTIONS)))
async def test_options_are_sent(
    server: ScriptedServer, client: AsyncAIChat, given: dict[str, Any], sent: dict[str, Any]
) -> None:
    server.on("StreamChat", answer("Yes"))
    await client.chat.send(model="m", text="Hi", **given)
    assert server.calls[0].request.options == options_pb2.ChatOptions(**sent)


def test_helpers_read_what_a_message_holds() -> None:
    call = types.ToolCallPart(call_id="c", name="add", arguments="{}")
    source = types.Citation(url="https://example.com", title="A")
    parts = [
        types.Part(reasoning=types.ReasoningPart(text="Hm.")),
        types.Part(text=types.TextPart(text="It is ")),
        types.Part(reasoning=types.ReasoningPart(folded=True)),
        types.Part(text=types.TextPart(text="5.", citations=[source])),
        types.Part(tool_call=call),
    ]
    message = types.Message(role=types.Role.ASSISTANT, parts=parts)
    assert message_text(message) == "It is 5.", "an answer is one text"
    assert message_text(types.Message(role=types.Role.USER, parts=parts)) == "It is \n\n5."
    assert (tool_calls(message), citations(message), reasoning_text(message)) == ([call], [source], "Hm.")
