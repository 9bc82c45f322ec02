"""Chat Completions by OpenAI's own SDK, with another base URL and key, for the models of every vendor."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import openai
import pytest
from aichat_sandbox.platform import Platform
from openai.types.chat import ChatCompletion
from pydantic import BaseModel

from tests.e2e.calls import MODEL, MODELS, script
from tests.fixtures.rows import connection
from tests.unit.files.made import pdf, png

PATH = "/openai/v1/chat/completions"
SAY = {"role": "user", "content": script(deltas=["Hello ", "there."])}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": {"type": "object", "properties": {}}}}
    for name in ("weather", "clock")
]
LOOP = script(
    rounds=[
        {
            "reasoning": ["Hm"],
            "deltas": [],
            "tools": [{"name": "weather", "arguments": {"at": "Oslo"}}, {"name": "clock"}],
        },
        {"reasoning": ["So"], "deltas": ["One more. "], "tools": [{"name": "clock"}]},
        {"deltas": [], "tools": [{"name": "weather"}]},
        {"deltas": ["It is ", "noon."]},
    ]
)


class Weather(BaseModel):
    """An answer."""

    place: str
    degrees: int


@pytest.fixture
async def sdk(platform: Platform) -> AsyncIterator[openai.AsyncOpenAI]:
    """OpenAI's SDK for the platform's edge."""
    async with client(platform) as sdk:
        yield sdk


def client(platform: Platform, root: str = "/openai/v1", key: str | None = None) -> openai.AsyncOpenAI:
    """OpenAI's SDK with another root or key."""
    return openai.AsyncOpenAI(
        base_url=f"{platform.http}{root}", api_key=key or str(platform.key["api_key"]), max_retries=0
    )


async def ask(sdk: openai.AsyncOpenAI, messages: list[Any], *, streams: bool, **fields: Any) -> ChatCompletion:
    """The whole completion, from its chunks if it is streamed."""
    if not streams:
        whole = await sdk.chat.completions.create(messages=messages, **fields)
        assert isinstance(whole, ChatCompletion)
        return whole
    async with sdk.chat.completions.stream(
        messages=messages, stream_options={"include_usage": True}, **fields
    ) as stream:
        async for _ in stream:
            """The SDK puts the chunks together."""
        return await stream.get_final_completion()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("root", ["/openai/v1", "/v1"])
async def test_a_completion_is_the_same_whole_and_as_a_stream(platform: Platform, model: str, root: str) -> None:
    async with client(platform, root) as sdk:
        whole, streamed = [await ask(sdk, [SAY], streams=streams, model=model) for streams in (False, True)]
    for told in (whole, streamed):
        assert told.id.startswith("chatcmpl-")
        assert told.model == model
        [choice] = told.choices
        assert (choice.message.content, choice.finish_reason) == ("Hello there.", "stop")
        assert told.usage
        assert told.usage.total_tokens == told.usage.prompt_tokens + told.usage.completion_tokens
        assert told.usage.prompt_tokens_details
        assert told.usage.completion_tokens_details
        assert 0 < getattr(told.usage, "cost", 0) < 1
    # OpenAI's own are as its stand-in sends them.
    assert whole.id != streamed.id or model == "gpt-6-luna"


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("returned", [None, {"role", "content", "tool_calls"}])
async def test_tools_are_called_over_three_rounds(
    sdk: openai.AsyncOpenAI, model: str, returned: set[str] | None
) -> None:
    """`returned`: the fields that the client keeps of a message; None: all, as SDKs do."""
    messages: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": LOOP}]
    called: list[list[str]] = []
    asked: dict[str, Any] = {"tools": TOOLS, "max_completion_tokens": 2000, "reasoning_effort": "low"}
    for n in range(4):
        told = await ask(sdk, messages, streams=n % 2 == 0, model=model, **asked)
        message = told.choices[0].message
        messages.append(message.model_dump(exclude_none=True, include=returned, exclude={"parsed"}))
        calls = message.tool_calls or []
        if not calls:
            break
        assert told.choices[0].finish_reason == "tool_calls"
        called.append([call.function.name for call in calls if call.type == "function"])
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "noon"} for call in calls]
    assert called == [["weather", "clock"], ["clock"], ["weather"]]
    assert messages[-1]["content"] == "It is noon."
    if returned is None and model != "gpt-6-luna":
        # OpenAI's own marks are in no field of Chat Completions.
        assert "reasoning_details" in messages[2] or "extra_content" in messages[2]["tool_calls"][0]


async def test_models_may_change_within_a_loop_of_tools(sdk: openai.AsyncOpenAI) -> None:
    messages: list[Any] = [{"role": "user", "content": LOOP}]
    for model in (*MODELS, MODEL):
        told = await ask(sdk, messages, streams=False, model=model, tools=TOOLS, reasoning_effort="low")
        messages.append(told.choices[0].message.model_dump(exclude_none=True))
        calls = told.choices[0].message.tool_calls or ()
        messages += [{"role": "tool", "tool_call_id": call.id, "content": "noon"} for call in calls]
        # No vendor gets another's marks: such a request is not passed on as it was sent.
        assert len(told.id) == len("chatcmpl-") + 32
    assert messages[-1]["content"] == "It is noon."


@pytest.mark.parametrize("model", MODELS)
async def test_images_documents_and_schemas_are_carried(
    sdk: openai.AsyncOpenAI, http: httpx.AsyncClient, model: str
) -> None:
    image, document = (base64.b64encode(data).decode() for data in (png(4, 4), pdf(1)))
    parts: list[Any] = [
        {"type": "text", "text": script(deltas=['{"place": "Oslo",', ' "degrees": 5}'])},
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{image}"}},
        {"type": "file", "file": {"file_data": f"data:application/pdf;base64,{document}", "filename": "a.pdf"}},
    ]
    told = await sdk.chat.completions.parse(
        model=model, messages=[{"role": "user", "content": parts}], response_format=Weather
    )
    assert told.choices[0].message.parsed == Weather(place="Oslo", degrees=5)
    mode: Any = {"type": "json_object"}
    stored = (await http.post("/v1/files", content=pdf(2), headers={"content-type": "application/pdf"})).json()
    parts[2] = {"type": "file", "file": {"file_id": stored["file"]["file_id"]}}
    text: Any = {"role": "user", "content": [{"type": "text", "text": script(deltas=['{"any": ', "1}"])}, parts[2]]}
    free = await sdk.chat.completions.create(
        model=model, messages=[text], response_format=mode, prompt_cache_key="k", reasoning_effort="low"
    )
    assert free.choices[0].message.content == '{"any": 1}'


async def test_chunks_have_the_form_that_clients_rely_on(http: httpx.AsyncClient) -> None:
    pages = [{"url": "https://example.com/a", "title": "A"}]
    asked = script(
        reasoning=["Hm"], deltas=["It ", "is."], citations=pages, tools=[{"name": "clock", "arguments": {"a": 1}}]
    )
    body = {"model": MODEL, "messages": [{"role": "user", "content": asked}], "tools": TOOLS, "stream": True}
    response = await http.post(PATH, json={**body, "stream_options": {"include_usage": True}})
    assert response.headers["content-type"] == "text/event-stream"
    assert int(response.headers["x-ratelimit-limit-requests"]) > 0
    assert "content-length" not in response.headers
    events = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    assert events.pop() == "[DONE]"
    chunks = [json.loads(event) for event in events]
    assert len({(chunk["id"], chunk["object"], chunk["created"], chunk["model"]) for chunk in chunks}) == 1
    assert chunks[0]["object"] == "chat.completion.chunk"
    generation = response.headers["x-aichat-generation-id"]
    assert chunks[0]["id"] == f"chatcmpl-{generation.replace('-', '')}"
    last = chunks.pop()
    assert last["choices"] == []
    assert set(last["usage"]) >= {"prompt_tokens", "completion_tokens", "total_tokens", "cost"}
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    assert choices[0]["delta"] == {"role": "assistant", "content": ""}
    assert [choice["finish_reason"] for choice in choices] == [None] * (len(choices) - 1) + ["tool_calls"]
    calls = [call for choice in choices for call in choice["delta"].get("tool_calls", ())]
    assert {call["index"] for call in calls} == {0}
    assert (calls[0]["type"], calls[0]["function"]) == ("function", {"name": "clock", "arguments": ""})
    assert all(call.keys() == {"index", "function"} and call["function"].keys() == {"arguments"} for call in calls[1:])
    assert json.loads("".join(call["function"]["arguments"] for call in calls)) == {"a": 1}
    [cited] = [note for choice in choices for note in choice["delta"].get("annotations", ())]
    assert cited["url_citation"] == {"start_index": 0, "end_index": 6, "title": "A", "url": "https://example.com/a"}


@pytest.mark.parametrize(
    ("fields", "raised", "code", "param"),
    [
        ({"model": "nothing"}, openai.NotFoundError, "model_not_found", "model"),
        ({"n": 2}, openai.BadRequestError, "unsupported_parameter", "n"),
        ({"logprobs": True}, openai.BadRequestError, "unsupported_parameter", "logprobs"),
        ({"messages": []}, openai.BadRequestError, "invalid_value", "messages"),
        ({"messages": 5}, openai.BadRequestError, "invalid_value", "messages"),
        ({"max_tokens": 10_000_000}, openai.BadRequestError, "unsupported_parameter", "max_completion_tokens"),
        ({"tool_choice": "required"}, openai.BadRequestError, "invalid_value", "tool_choice"),
        (
            {"messages": [{"role": "user", "content": "word " * 1_500_000}]},
            openai.BadRequestError,
            "context_length_exceeded",
            "messages",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
                    }
                ]
            },
            openai.BadRequestError,
            "file_invalid",
            "messages[0].content[0].image_url.url",
        ),
    ],
)
async def test_what_cannot_be_carried_is_refused_and_nothing_is_booked(
    platform: Platform,
    sdk: openai.AsyncOpenAI,
    fields: dict[str, Any],
    raised: type[openai.APIStatusError],
    code: str,
    param: str,
) -> None:
    before = await generations(platform)
    with pytest.raises(raised) as failed:
        await sdk.chat.completions.create(**{"model": MODEL, "messages": [SAY], **fields})
    assert (failed.value.code, failed.value.param) == (code, param)
    assert failed.value.request_id
    assert await generations(platform) == before


async def test_failures_of_vendors_raise_before_and_within_the_stream(
    platform: Platform, sdk: openai.AsyncOpenAI
) -> None:
    busy: Any = {"role": "user", "content": script(status=429, retry_after=60)}
    for streams in (False, True):
        with pytest.raises(openai.InternalServerError):
            await ask(sdk, [busy], streams=streams, model=MODEL)
    for how in ({"cut_after": 1}, {"error_after": 1}):
        broken: Any = {"role": "user", "content": script(deltas=["Hello"], **how)}
        stream = await sdk.chat.completions.create(model=MODEL, messages=[broken], stream=True)
        with pytest.raises(openai.APIError):
            await read(stream)
    async with client(platform, key="aichat_no") as stranger:
        with pytest.raises(openai.AuthenticationError):
            await stranger.chat.completions.create(model=MODEL, messages=[SAY])  # type: ignore[list-item]


async def test_models_are_listed(platform: Platform, sdk: openai.AsyncOpenAI) -> None:
    async with client(platform, "/v1") as root:
        for one in (sdk, root):
            models = [model async for model in one.models.list()]
            assert {model.id for model in models} >= set(MODELS)
            assert {(model.object, type(model.created)) for model in models} == {("model", int)}
            found = await one.models.retrieve(MODEL)
            assert (found.id, found.owned_by) == (MODEL, "anthropic")
            with pytest.raises(openai.NotFoundError, match="vendor/nothing") as failed:
                await one.models.retrieve("vendor/nothing")
            assert failed.value.code == "model_not_found"


async def read(stream: AsyncIterator[object]) -> None:
    """Reads a stream to its end."""
    async for _ in stream:
        """Nothing of it counts."""


async def generations(platform: Platform) -> int:
    """How many generations have ever begun."""
    async with connection(platform.database_url) as owner:
        return int(await owner.fetchval("SELECT count(*) FROM aichat.generations"))
