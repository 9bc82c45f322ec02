"""Anthropic's own SDK, with another base URL and key: its newest version, which sends the key as a bearer token."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import pytest
from aichat_sandbox.platform import Platform
from anthropic.types import MessageParam, ToolParam, WebSearchTool20250305Param

from tests.e2e.calls import MODELS, script
from tests.unit.files.made import pdf, png

CITY: dict[str, object] = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
WEATHER: ToolParam = {"name": "weather", "description": "Tells the weather.", "input_schema": CITY}
SEARCH: WebSearchTool20250305Param = {"type": "web_search_20250305", "name": "web_search"}
OTHER = MODELS[1]

each_model = pytest.mark.parametrize("model", MODELS)


def client(platform: Platform, root: str = "/anthropic", key: str | None = None) -> anthropic.AsyncAnthropic:
    """Anthropic's SDK for the platform's edge."""
    api_key = key or str(platform.key["api_key"])
    return anthropic.AsyncAnthropic(base_url=f"{platform.http}{root}", api_key=api_key, max_retries=0)


def say(**how: Any) -> MessageParam:
    """A message that tells the vendors' stand-in how to answer."""
    return {"role": "user", "content": script(**how)}


async def _read(stream: anthropic.AsyncStream[Any]) -> None:
    async for _ in stream:
        """Only its end counts."""


@pytest.fixture
async def sdk(platform: Platform) -> AsyncIterator[anthropic.AsyncAnthropic]:
    async with client(platform) as sdk:
        yield sdk


@each_model
@pytest.mark.parametrize("root", ["/anthropic", ""])
async def test_a_message_is_answered_whole_and_as_a_stream(platform: Platform, model: str, root: str) -> None:
    hello = say(deltas=["Hello ", "there."])
    async with client(platform, root) as sdk:
        whole = await sdk.messages.create(model=model, max_tokens=100, messages=[hello])
        assert [block.to_dict() for block in whole.content] == [{"type": "text", "text": "Hello there."}]
        assert (whole.model, whole.role, whole.stop_reason) == (model, "assistant", "end_turn")
        async with sdk.messages.stream(model=model, max_tokens=100, messages=[hello]) as stream:
            events = [event async for event in stream]
            told = await stream.get_final_message()
    assert told.to_dict()["content"] == [block.to_dict() for block in whole.content]
    assert told.usage.input_tokens == whole.usage.input_tokens > 0
    costs: list[Any] = [event.usage.to_dict()["cost"] for event in events if event.type == "message_delta"]
    assert costs == [whole.usage.to_dict()["cost"]]
    assert costs[0] > 0
    assert events[0].type == "message_start"
    assert events[0].message.usage.input_tokens > 0
    assert [event.type for event in events if event.type.startswith("message_")][-2:] == [
        "message_delta",
        "message_stop",
    ]


@each_model
async def test_tools_are_called_for_three_rounds_with_thinking_between_them(
    sdk: anthropic.AsyncAnthropic, model: str
) -> None:
    calls = [
        {"reasoning": ["Hm. "], "deltas": ["Let me see. "], "tools": [{"name": "weather", "arguments": {"city": city}}]}
        for city in ("Bonn", "Köln", "Trier")
    ]
    messages = [say(rounds=[*calls, {"reasoning": ["Ah. "], "deltas": ["All wet."]}])]
    about: dict[str, Any] = {"model": model, "max_tokens": 2000, "tools": [WEATHER], "thinking": {"type": "adaptive"}}
    for city in ("Bonn", "Köln", "Trier"):
        async with sdk.messages.stream(messages=messages, **about) as stream:
            answer = await stream.get_final_message()
        assert answer.stop_reason == "tool_use"
        assert (answer.content[0].type, answer.content[-1].type) == ("thinking", "tool_use")
        # Gemini marks its calls, and others mark their thinking.
        assert any(block.to_dict().get("signature") or block.to_dict().get("data") for block in answer.content)
        [call] = [block for block in answer.content if block.type == "tool_use"]
        assert call.input == {"city": city}
        result: Any = {"type": "tool_result", "tool_use_id": call.id, "content": "rain", "is_error": city == "Köln"}
        messages += [answer.to_param(), {"role": "user", "content": [result]}]
    last = await sdk.messages.create(messages=messages, **about)
    assert (last.content[-1].to_dict()["text"], last.stop_reason) == ("All wet.", "end_turn")


@each_model
async def test_a_runner_of_tools_goes_on_without_a_thread_of_the_vendors(
    sdk: anthropic.AsyncAnthropic, model: str
) -> None:
    cities = list[str]()

    @anthropic.beta_async_tool
    async def weather(city: str) -> str:
        """Tells the weather."""
        cities.append(city)
        return "rain"

    call = {"deltas": ["So. "], "tools": [{"name": "weather", "arguments": {"city": "Bonn"}}]}
    said: Any = say(rounds=[call, call, {"deltas": ["All wet."]}])
    runner = sdk.beta.messages.tool_runner(model=model, max_tokens=500, tools=[weather], messages=[said])
    last = await runner.until_done()
    assert (last.content[-1].to_dict()["text"], cities) == ("All wet.", ["Bonn", "Bonn"])


async def test_a_conversation_may_change_its_model_within_a_loop_of_tools(sdk: anthropic.AsyncAnthropic) -> None:
    call = {"reasoning": ["Hm. "], "deltas": ["So. "], "tools": [{"name": "weather", "arguments": {"city": "Bonn"}}]}
    messages = [say(rounds=[*[call] * 5, {"deltas": ["All wet."]}])]
    about: dict[str, Any] = {"max_tokens": 2000, "tools": [WEATHER], "thinking": {"type": "adaptive"}}
    # Each of them refuses marks of any other.
    for model in (*MODELS, *MODELS[:2]):
        answer = await sdk.messages.create(model=model, messages=messages, **about)
        [use] = [block for block in answer.content if block.type == "tool_use"]
        result: Any = {"type": "tool_result", "tool_use_id": use.id, "content": "rain"}
        messages += [answer.to_param(), {"role": "user", "content": [result]}]
    last = await sdk.messages.create(model=MODELS[2], messages=messages, **about)
    assert last.content[-1].to_dict()["text"] == "All wet."


@pytest.mark.parametrize("model", MODELS[1:])
async def test_the_vendors_own_search_is_asked_and_cited(sdk: anthropic.AsyncAnthropic, model: str) -> None:
    page = {"url": "https://example.com/a", "title": "A"}
    said = say(deltas=["It rains."], searches=[{"query": "rain", "results": [page]}], citations=[page])
    answer = await sdk.messages.create(
        model=model,
        max_tokens=500,
        messages=[said],
        tools=[SEARCH],
    )
    [told] = answer.content
    assert told.type == "text"
    assert told.citations is not None
    assert [(one.type, one.to_dict()["url"]) for one in told.citations] == [("web_search_result_location", page["url"])]
    assert answer.usage.server_tool_use is not None
    assert answer.usage.server_tool_use.web_search_requests == 1


@pytest.mark.parametrize(("word", "reason"), [("SAFETY", "refusal"), ("MAX_TOKENS", "max_tokens")])
async def test_an_answer_tells_why_it_ended(sdk: anthropic.AsyncAnthropic, word: str, reason: str) -> None:
    said = say(deltas=["Well."], stop=word)
    about: dict[str, Any] = {"model": MODELS[2], "max_tokens": 100, "messages": [said]}
    whole = await sdk.messages.create(**about)
    assert (whole.stop_reason, whole.content[0].to_dict()["text"]) == (reason, "Well.")
    async with sdk.messages.stream(**about) as stream:
        assert (await stream.get_final_message()).stop_reason == reason


@each_model
async def test_files_and_schemas_are_carried(sdk: anthropic.AsyncAnthropic, model: str) -> None:
    image = {"type": "base64", "media_type": "image/png", "data": base64.b64encode(png(64, 64)).decode()}
    document = {"type": "base64", "media_type": "application/pdf", "data": base64.b64encode(pdf(1)).decode()}
    content: Any = [
        {"type": "image", "source": image, "cache_control": {"type": "ephemeral"}},
        {"type": "document", "source": document, "title": "Report"},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "Rain."}},
        {"type": "text", "text": "Where does it rain?"},
    ]
    about: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": content}]}
    answer = await sdk.messages.create(
        **about,
        max_tokens=1000,
        system=[{"type": "text", "text": "Be brief."}],
        output_config={"format": {"type": "json_schema", "schema": {**CITY, "additionalProperties": False}}},
    )
    assert json.loads(answer.content[-1].to_dict()["text"]).keys() == {"city"}
    counted = await sdk.messages.count_tokens(**about, system="Be brief.")
    assert counted.input_tokens > 200


async def test_models_are_listed_by_pages(sdk: anthropic.AsyncAnthropic) -> None:
    listed = [model async for model in await sdk.models.list(limit=2)]
    assert set(MODELS) <= {model.id for model in listed}
    assert len(listed) == len({model.id for model in listed})
    one = await sdk.models.retrieve(OTHER)
    assert one in listed
    assert (one.type, one.lifecycle) == ("model", "active")
    assert one.capabilities is not None
    assert one.capabilities.image_input.supported
    before = await sdk.models.list(before_id=listed[3].id, limit=2)
    assert [model.id for model in before.data] == [model.id for model in listed[1:3]]
    assert before.has_more


async def test_failures_raise_what_the_sdk_expects(platform: Platform, sdk: anthropic.AsyncAnthropic) -> None:
    with pytest.raises(anthropic.NotFoundError, match="model: nothing"):
        await sdk.messages.create(model="nothing", max_tokens=10, messages=[say()])
    with pytest.raises(anthropic.NotFoundError):
        await sdk.messages.count_tokens(model="nothing", messages=[say()])
    with pytest.raises(anthropic.NotFoundError):
        await sdk.models.retrieve("nothing")
    long: MessageParam = {"role": "user", "content": "word " * 1_200_000}
    with pytest.raises(anthropic.BadRequestError, match=r"prompt is too long: \d+ tokens > \d+ maximum"):
        await sdk.messages.create(model=OTHER, max_tokens=10, messages=[long])
    with pytest.raises(anthropic.OverloadedError):
        await sdk.messages.create(model=OTHER, max_tokens=10, messages=[say(status=529)])
    for model in MODELS:
        stream = await sdk.messages.create(
            model=model, max_tokens=10, messages=[say(deltas=["Hello"], cut_after=1)], stream=True
        )
        with pytest.raises(anthropic.APIError):
            await _read(stream)
    async with client(platform, key="aichat_no") as stranger:
        with pytest.raises(anthropic.AuthenticationError):
            await stranger.messages.create(model=OTHER, max_tokens=10, messages=[say()])
