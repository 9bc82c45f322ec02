"""OpenAI's own SDK speaks the Responses API, with models of every vendor."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import httpx
import openai
import pytest
from aichat_sandbox.platform import Platform
from openai.types.responses import Response
from pydantic import BaseModel

from tests.e2e.calls import MODELS, script

WEATHER: Any = {
    "type": "function",
    "name": "weather",
    "description": "Tells the weather of a city.",
    "parameters": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    },
    "strict": True,
}
HELLO = script(deltas=["Hello ", "there."])


def client(platform: Platform, **more: Any) -> openai.AsyncOpenAI:
    """OpenAI's SDK for the platform's edge."""
    options = {"api_key": str(platform.key["api_key"]), "max_retries": 0, **more}
    return openai.AsyncOpenAI(base_url=f"{platform.http}/openai/v1", **options)


def rounds(*calls: str, then: str = "It rains.", **how: Any) -> str:
    """A script: one call of the tool after the other, and then a text."""
    tools = [{"deltas": [], "tools": [{"name": "weather", "arguments": {"city": city}}], **how} for city in calls]
    return script(rounds=[*tools, {"deltas": [then], **how}])


def kinds(response: Response) -> list[str]:
    """The kinds of a response's items, without what only carries marks."""
    return [item.type for item in response.output if item.type != "reasoning" or item.summary]


@pytest.mark.parametrize("model", MODELS)
async def test_a_response_is_answered_whole_and_as_a_stream(platform: Platform, model: str) -> None:
    """Basic, streaming, and the system prompt of Open Responses' suite."""
    async with client(platform) as sdk:
        whole = await sdk.responses.create(model=model, input=HELLO, instructions="Be brief.", metadata={"a": "b"})
        stream = await sdk.responses.create(model=model, input=[{"role": "user", "content": HELLO}], stream=True)
        events = [event async for event in stream]
    assert (whole.output_text, whole.status, whole.model, whole.metadata) == (
        "Hello there.",
        "completed",
        model,
        {"a": "b"},
    )
    assert whole.usage is not None
    assert whole.usage.total_tokens == whole.usage.input_tokens + whole.usage.output_tokens > 0
    assert whole.usage.model_extra is not None
    assert whole.usage.model_extra["cost"] > 0
    assert whole.instructions == "Be brief."
    told = [event.type.removeprefix("response.") for event in events]
    assert [kind for kind, next_kind in pairwise([*told, ""]) if kind != next_kind] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    last = events[-1]
    assert last.type == "response.completed"
    assert last.response.output_text == "Hello there."


@pytest.mark.parametrize("model", MODELS)
async def test_tools_are_called_in_rounds_without_anything_stored(platform: Platform, model: str) -> None:
    """As Codex does: what the model wrote comes back with its vendor's marks."""
    asked = rounds("Bern", "Basel", "Chur", reasoning=["Let me see. "])
    items: list[Any] = [{"role": "user", "content": asked}]
    async with client(platform) as sdk:
        for city in ("Bern", "Basel", "Chur"):
            async with sdk.responses.stream(
                model=model,
                input=items,
                tools=[WEATHER],
                store=False,
                include=["reasoning.encrypted_content"],
                reasoning={"effort": "medium", "summary": "auto"},
            ) as stream:
                response = await stream.get_final_response()
            assert kinds(response)[-1] == "function_call"
            [call] = [item for item in response.output if item.type == "function_call"]
            assert (call.name, json.loads(call.arguments)) == ("weather", {"city": city})
            # Codex leaves the ids of items out.
            items += [item.model_dump(mode="json", exclude={"id", "parsed_arguments"}) for item in response.output]
            items += [{"type": "function_call_output", "call_id": call.call_id, "output": "rain"}]
        last = await sdk.responses.create(
            model=model, input=items, tools=[WEATHER], store=False, include=["reasoning.encrypted_content"]
        )
    assert last.output_text == "It rains."
    assert any(item.type == "reasoning" and item.encrypted_content for item in response.output)


class Weather(BaseModel):
    """What is asked for."""

    city: str


async def test_an_answer_follows_a_schema(platform: Platform) -> None:
    async with client(platform) as sdk:
        asked = script(deltas=['{"city": ', '"Bern"}'])
        response = await sdk.responses.parse(model=MODELS[1], input=asked, text_format=Weather)
    assert response.output_parsed == Weather(city="Bern")


PATCH: Any = {"type": "custom", "name": "patch", "format": {"type": "grammar", "syntax": "lark", "definition": "a"}}
GROUP: Any = {"type": "namespace", "name": "files", "description": "Edits.", "tools": [PATCH]}


@pytest.mark.parametrize(("tool", "function"), [(PATCH, "patch"), (GROUP, "files__patch")])
async def test_custom_tools_take_a_text(platform: Platform, tool: Any, function: str) -> None:
    called = {"deltas": [], "tools": [{"name": function, "arguments": {"input": "*** Begin"}}]}
    asked = script(rounds=[called, {"deltas": ["Done."]}])
    async with client(platform) as sdk:
        items: list[Any] = [{"role": "user", "content": asked}]
        response = await sdk.responses.create(model=MODELS[0], input=items, tools=[tool])
        [call] = response.output
        assert call.type == "custom_tool_call"
        assert (call.namespace, call.name, call.input) == ("files" if tool is GROUP else None, "patch", "*** Begin")
        items += [call.model_dump(mode="json")]
        items += [{"type": "custom_tool_call_output", "call_id": call.call_id, "output": "ok"}]
        last = await sdk.responses.create(model=MODELS[0], input=items, tools=[tool])
    assert last.output_text == "Done."


async def last_before_failure(stream: AsyncIterator[Any]) -> Any:
    """The last event of a stream that raises."""
    last = None
    try:
        async for event in stream:
            last = event
    except openai.APIError:
        return last
    pytest.fail("the stream ended as if it were whole")


async def test_failures_are_told_before_and_after_the_stream_began(platform: Platform) -> None:
    async with client(platform) as sdk:
        with pytest.raises(openai.NotFoundError, match="nothing"):
            await sdk.responses.create(model="nothing", input=HELLO)
        broken = script(deltas=["Hello"], cut_after=1)
        stream = await sdk.responses.create(model=MODELS[0], input=broken, stream=True)
        last = await last_before_failure(stream)
        assert (last.type, last.response.error.code) == ("response.failed", "server_error")
        short = await sdk.responses.create(model=MODELS[0], input=script(deltas=["a b c d"], stop="max_tokens"))
    assert short.status == "incomplete"
    assert short.incomplete_details is not None
    assert short.incomplete_details.reason == "max_output_tokens"


BAD: tuple[tuple[str, dict[str, Any], str | None], ...] = (
    ("wrong type", {"input": 3}, "input"),
    ("blank", {"input": " "}, "input"),
    ("no item", {"input": [{"role": "user"}]}, "input"),
    ("role", {"input": [{"role": "tool", "content": "a"}]}, "input[0].role"),
    ("item", {"input": [{"type": "shell_call", "content": "a"}]}, "input[0].type"),
    ("content", {"input": [{"role": "user", "content": [{"type": "video"}]}]}, "input[0].content[0]"),
    ("reference", {"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0].id"),
    ("call", {"input": [{"type": "function_call_output", "call_id": "a", "output": "b"}]}, "input"),
    ("seal", {"input": [{"type": "reasoning", "encrypted_content": "aichat.1.e30="}]}, "input[0].encrypted_content"),
    ("tool", {"tools": [{"type": "file_search"}]}, "tools[0].type"),
    ("tool choice", {"tool_choice": {"type": "mcp"}}, "tool_choice"),
    ("verbosity", {"text": {"verbosity": "endless"}}, "text.verbosity"),
    ("effort", {"reasoning": {"effort": "much"}}, "reasoning.effort"),
    ("schema", {"text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": 3}}}}, "text.format.schema"),
    ("logprobs", {"include": ["message.output_text.logprobs"]}, "include"),
    ("temperature", {"temperature": 9}, "temperature"),
    ("previous", {"previous_response_id": "resp_1"}, "previous_response_id"),
    ("conversation", {"conversation": "conv_1"}, "conversation"),
    ("background", {"background": True, "store": False}, "background"),
    ("prompt", {"prompt": {"id": "pmpt_1"}}, "prompt"),
)


async def test_bad_input_is_refused_by_its_field(platform: Platform) -> None:
    async with client(platform) as sdk:
        for name, fields, param in BAD:
            body = {"model": MODELS[0], "input": "Hi", **fields}
            with pytest.raises(openai.APIStatusError) as refused:
                pytest.fail(f"{name}: {await sdk.post('/responses', body=body, cast_to=object)}")
            assert 400 <= refused.value.status_code < 500, name
            assert refused.value.param == param, (name, refused.value.message)


CODEX_TOOLS: list[Any] = [
    {**WEATHER, "strict": False},
    {"type": "custom", "name": "apply_patch", "description": "Edits files.",
     "format": {"type": "grammar", "syntax": "lark", "definition": "start: /.+/"}},
]  # fmt: skip


@pytest.mark.parametrize("model", MODELS)
async def test_a_request_as_codex_sends_it_is_answered(platform: Platform, model: str) -> None:
    """With what only its own vendor knows; it shows the items that are done, and needs the last event's usage."""
    body: dict[str, Any] = {
        "model": model,
        "instructions": "You are a coding agent. " * 500,
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Sandboxed."}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": HELLO}]},
        ],
        "tools": CODEX_TOOLS,
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "medium", "summary": "auto", "context": "all_turns"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0199-thread",
        "text": {"verbosity": "low"},
        "client_metadata": {"x-codex-installation-id": "1"},
    }
    headers = {"authorization": f"Bearer {platform.key['api_key']}", "session-id": "0199", "originator": "codex_exec"}
    async with httpx.AsyncClient(base_url=platform.http, headers=headers) as http:
        answer = await http.post("/openai/v1/responses", json=body)
    lines = answer.text.splitlines()
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    [done] = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    assert done["content"][0]["text"] == "Hello there."
    assert events[-1]["type"] == "response.completed"
    assert events[-1]["response"]["id"].startswith("resp_")
    assert events[-1]["response"]["usage"]["total_tokens"] > 0


@pytest.mark.parametrize("model", MODELS[1:])
async def test_items_of_answers_that_were_just_written_can_be_named(platform: Platform, model: str) -> None:
    """The AI SDK names items instead of sending them, unless it is told that nothing is stored."""
    async with client(
        platform, default_headers={"user-agent": "ai/7.0.0 ai-sdk-openai/4.0.0 runtime/node.js/22"}
    ) as sdk:
        asked = rounds("Bern")
        first = await sdk.responses.create(model=model, input=asked, tools=[WEATHER])
        [call] = [item for item in first.output if item.type == "function_call"]
        assert call.id is not None
        items: list[Any] = [{"role": "user", "content": asked}, {"type": "item_reference", "id": call.id}]
        items += [{"type": "function_call_output", "call_id": call.call_id, "output": "rain"}]
        last = await sdk.responses.create(model=model, input=items, tools=[WEATHER])
    assert last.output_text == "It rains."
