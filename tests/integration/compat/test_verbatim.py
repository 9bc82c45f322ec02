"""Same protocol, same bytes: requests reach a vendor of the same API as they were sent, and answers come back so."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aichat_sandbox.postgres import Postgres
from aichat_sandbox.standins import VENDORS, settings_for
from aichat_server.compat.domain.merging import json_events

from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.integration.compat.caller import Caller
from tests.integration.compat.streams import (
    ANSWERS,
    ASKED,
    BEFORE,
    CHUNK,
    COMPLETION,
    ENDED,
    FAILURES,
    MESSAGE,
    NAMES,
    RESPONSE,
    SAID,
    TOLD,
    USAGE,
    event,
    named,
    written,
)
from tests.integration.compat.upstream import Upstream, open_upstream


@pytest.fixture(scope="module")
async def upstream() -> AsyncGenerator[Upstream, None]:
    """The vendor of all models."""
    async with open_upstream() as running:
        yield running


@pytest.fixture(scope="module")
async def server(run_server: RunServer, upstream: Upstream) -> AsyncGenerator[ServerUnderTest, None]:
    """A server with that vendor."""
    settings = settings_for(VENDORS, upstream.url) | {
        "AICHAT_OPENAI_API": "responses",
        "AICHAT_PROVIDER_RETRIES": "0",
        "AICHAT_UNPRICED_FEATURES": "code_execution",
    }
    async with run_server(**settings) as running:
        yield running


@pytest.fixture
def caller(server: ServerUnderTest, api_key: ApiKey) -> Caller:
    """A caller of the test's own organisation."""
    return Caller(server, api_key)


APIS = pytest.mark.parametrize("api", ANSWERS)


@APIS
async def test_bodies_headers_and_events_pass_byte_for_byte(api: str, upstream: Upstream, caller: Caller) -> None:
    whole = b"".join(ANSWERS[api])
    # However the bytes are cut on their way.
    upstream.will_answer(*(whole[start : start + 37] for start in range(0, len(whole), 37)))
    beta = "context-management-2025-06-27,never-heard-of-2027-01-01"
    reply = await caller.call(api, ASKED[api], anthropic_version="2023-06-01", anthropic_beta=beta, openai_beta="x=1")
    [body], [headers] = upstream.bodies, upstream.headers
    for name, value in ASKED[api].items():
        assert f'"{name}":'.encode() + written(value) in body or name == "stream_options"
    if api == "messages":
        assert (headers["anthropic-version"], headers["anthropic-beta"]) == ("2023-06-01", beta)
    else:
        assert headers["openai-beta"] == "x=1"
    assert "aichat" not in str(headers)
    last = (
        len(RESPONSE[-1])
        if api == "responses"
        else len(USAGE) + len(COMPLETION[-1])
        if api == "chat"
        else sum(map(len, MESSAGE[-2:]))
    )
    until = len(whole) - last
    assert reply.data[: len(named(api, whole[:until]))] == named(api, whole[:until])
    ending = reply.data[len(named(api, whole[:until])) :].decode()
    # The end is written again, with what it cost.
    assert '"cost":0.00' in ending
    assert (TOLD in ending, ending[-2:]) == (False, "\n\n")
    assert {"messages": "message_stop", "chat": "[DONE]", "responses": "response.completed"}[api] in ending
    assert UUID(reply.headers["x-aichat-generation-id"]).version == 7


@APIS
async def test_answers_that_are_not_streamed_are_put_together(api: str, upstream: Upstream, caller: Caller) -> None:
    upstream.will_answer(b"".join(ANSWERS[api]))
    asked = ASKED[api] | {"stream": False}
    asked.pop("stream_options", None)
    whole = (await caller.call(api, asked)).json
    assert json.loads(upstream.bodies[0])["stream"] is True
    assert whole["model"] == NAMES[api]
    assert 0 < whole["usage"].pop("cost") < 1
    match api:
        case "messages":
            assert whole["content"] == [
                {"type": "thinking", "thinking": "Hm", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "eA=="},
                {"type": "hologram", "light": "be"},
                {"type": "text", "text": f'"model":"{TOLD}"'},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
            ]
            assert whole["new"] == {"thing": [1.5]}
            assert (whole["stop_reason"], whole["context_management"]) == ("tool_use", {"applied_edits": []})
            assert whole["usage"] == {"input_tokens": 1000, "output_tokens": 20}
        case "chat":
            [choice] = whole["choices"]
            function = {"name": "f", "arguments": "{}"}
            calls = [{"id": "call_1", "type": "function", "function": function}]
            assert choice["message"] == {
                "role": "assistant", "content": "Hello", "mood": "g", "tool_calls": calls, "refusal": None,
            }  # fmt: skip
            assert (choice["finish_reason"], whole["object"]) == ("tool_calls", "chat.completion")
            assert whole["usage"] == {"prompt_tokens": 1000, "completion_tokens": 20, "new": 1}
        case _:
            assert whole == ENDED | {"model": NAMES[api], "usage": ENDED["usage"]}


async def test_what_was_counted_is_booked(
    upstream: Upstream, caller: Caller, api_key: ApiKey, postgres: Postgres
) -> None:
    for api, pieces in ANSWERS.items():
        upstream.will_answer(*pieces)
        await caller.call(api, ASKED[api])
    owner = await asyncpg.connect(postgres.owner_url)
    try:
        select = "SELECT input_tokens, output_tokens FROM aichat.usage_events WHERE org_id = $1"
        rows = await owner.fetch(select, UUID(api_key.organization_id))
        assert [tuple(row) for row in rows] == [(1000, 20)] * 3
    finally:
        await owner.close()


async def test_only_who_asks_for_the_usage_of_chunks_sees_it(upstream: Upstream, caller: Caller) -> None:
    upstream.will_answer(*COMPLETION)
    reply = await caller.call("chat", {name: told for name, told in ASKED["chat"].items() if name != "stream_options"})
    assert json.loads(upstream.bodies[0])["stream_options"] == {"include_usage": True}
    assert reply.data == named("chat", b"".join(one for one in COMPLETION if one is not USAGE))


@APIS
async def test_the_end_is_read_however_lines_end(api: str, upstream: Upstream, caller: Caller) -> None:
    def in_lines(block: bytes) -> bytes:
        """As few write it: over several lines, which end as DOS ends them."""
        return block.replace(b'{"', b'{\ndata: "').replace(b"\n", b"\r\n")

    upstream.will_answer(b"".join(map(in_lines, ANSWERS[api])))
    reply = await caller.call(api, ASKED[api])
    expected = list(json_events(named(api, b"".join(ANSWERS[api]))))
    told = list(json_events(reply.data))
    for one in told:
        ((one.get("response") or one).get("usage") or {}).pop("cost", None)
    assert told == expected


@pytest.mark.parametrize("stream", [True, False])
async def test_the_cost_is_told_where_an_endpoint_tells_the_usage(
    *, stream: bool, upstream: Upstream, caller: Caller
) -> None:
    usage = {"prompt_tokens": 1000, "completion_tokens": 20, "cost": 99.5, "cost_details": {"upstream": 98}}
    # OpenRouter tells the reason twice, and other endpoints beside the usage.
    for before in ([], [event(CHUNK | {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]})]):
        told = CHUNK | {"choices": [{"index": 0, "delta": {}, "finish_reason": None if before else "stop"}]}
        upstream.will_answer(*COMPLETION[:5], *before, event(told | {"usage": usage}), COMPLETION[-1])
        reply = await caller.call("chat", ASKED["chat"] | {"stream": stream})
        last = json.loads(reply.data.split(b"data: ")[-2]) if stream else reply.json
        assert 0 < last["usage"].pop("cost") < 1
        assert last["usage"] == {"prompt_tokens": 1000, "completion_tokens": 20}


@pytest.mark.parametrize("stream", [True, False])
async def test_half_a_character_breaks_no_answer(*, stream: bool, upstream: Upstream, caller: Caller) -> None:
    said = ENDED | {"output": [SAID | {"content": [{"type": "output_text", "text": "\ud83d"}]}]}
    upstream.will_answer(*RESPONSE[:-1], event({"type": "response.completed", "response": said}, named=True))
    reply = await caller.call("responses", ASKED["responses"] | {"stream": stream})
    whole = json.loads(reply.data.split(b"data: ")[-1])["response"] if stream else reply.json
    assert "\ufffd" in str(whole["output"])
    assert 0 < whole["usage"]["cost"] < 1


@pytest.mark.parametrize(
    ("api", "more", "limit", "sent"),
    [
        ("messages", {"max_tokens": 10_000_000}, "max_tokens", 128_000),
        ("chat", {}, "max_completion_tokens", 32_000),
        ("chat", {"max_tokens": 77}, "max_completion_tokens", 77),
        ("chat", {"max_tokens": 77, "max_completion_tokens": 99}, "max_completion_tokens", 99),
        ("responses", {"store": None, "background": False, "include": None}, "max_output_tokens", 32_000),
        ("responses", {"store": None, "include": 5}, "include", 5),
    ],
)
async def test_only_what_is_the_platforms_to_say_changes(
    api: str, more: dict[str, Any], limit: str, sent: int, upstream: Upstream, caller: Caller
) -> None:
    upstream.will_answer(*ANSWERS[api])
    await caller.call(api, ASKED[api] | more)
    body = json.loads(upstream.bodies[0])
    assert body[limit] == sent
    assert ("max_tokens" in body) == (api == "messages"), "OpenAI's reasoning models refuse it"
    assert body["service_tier"] == ("standard_only" if api == "messages" else "default")
    assert (body.get("store", False), "background" in body) == (False, False)
    if limit == "max_output_tokens":
        assert body["include"] == ["reasoning.encrypted_content"], "nothing is stored, so the next request needs it"


@APIS
async def test_refusals_of_the_request_pass_as_they_were_sent(api: str, upstream: Upstream, caller: Caller) -> None:
    said = b'{"type":"error", "error":{"type":"invalid_request_error","message":"A + B > C","extra":[1.0]}}'
    upstream.will_answer(said, status=413)
    reply = await caller.call(api, ASKED[api])
    assert (reply.headers["x-aichat-status"], reply.data) == ("413", said)
    upstream.will_answer(b'{"error":{"type":"authentication_error","message":"sk-ant-x"}}', status=401)
    reply = await caller.call(api, ASKED[api])
    assert b"sk-ant" not in reply.data, "what is wrong with the operator's account is private"
    assert reply.headers["x-aichat-status"] in ("503", "529")


@APIS
async def test_a_stream_that_fails_says_so_in_the_vendors_words(api: str, upstream: Upstream, caller: Caller) -> None:
    begun = b"".join(ANSWERS[api][: BEFORE[api]])
    upstream.will_answer(begun, FAILURES[api])
    told, _, more = (await caller.call(api, ASKED[api])).data.partition(named(api, FAILURES[api]))
    # OpenAI's SDKs do not raise what Responses tell by their own events.
    assert (told, b'"error":{"message":' in more) == (named(api, begun), api == "responses")
    upstream.will_answer(begun, breaks=True)
    reply = await caller.call(api, ASKED[api])
    assert reply.data.startswith(named(api, begun))
    assert b'"error"' in reply.data[len(named(api, begun)) :], "a stream that breaks off never looks whole"


@pytest.mark.parametrize(
    ("api", "more", "param"),
    [
        ("messages", {"container": "c"}, "container"),
        ("messages", {"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
        ("messages", {"speed": "fast"}, "speed"),
        ("messages", {"inference_geo": "moon"}, "inference_geo"),
        ("messages", {"tools": [{"type": "web_fetch_20260318", "name": "w"}]}, "tools.0.type"),
        ("messages", {"tools": [{"type": "web_search_20260318", "name": "w"}]}, "tools.0.allowed_callers"),
        ("messages", {"messages": [{"role": "user", "content": [
            {"type": "image", "source": {"type": "file", "file_id": "file_1"}}]}]}, "messages.0.content.0.source"),
        ("messages", {"tools": [{"type": "web_search_20250305", "max_uses": -1}]}, "tools.0.max_uses"),
        ("chat", {"max_tokens": -1}, "max_tokens"),
        ("responses", {"max_tool_calls": 1 << 40}, "max_tool_calls"),
        ("chat", {"n": 2}, "n"),
        ("chat", {"logprobs": True}, "logprobs"),
        ("chat", {"modalities": ["text", "audio"]}, "modalities"),
        ("chat", {"service_tier": "scale"}, "service_tier"),
        ("responses", {"input": [{"type": "additional_tools", "tools": [{"type": "mcp"}]}]}, "input[0].tools[0].type"),
        ("responses", {"tools": [{"type": "shell", "environment": {"type": "auto"}}]}, "tools[0].environment"),
        ("responses", {"input": [{"type": "item_reference", "id": "rs_1"}]}, "input[0]"),
    ],
)  # fmt: skip
async def test_what_has_no_price_is_refused_by_name(
    api: str, more: dict[str, Any], param: str, upstream: Upstream, caller: Caller
) -> None:
    upstream.will_answer(*ANSWERS[api])
    reply = await caller.call(api, ASKED[api] | more)
    assert (reply.headers["x-aichat-status"], param in reply.data.decode(), upstream.bodies) == ("400", True, [])


async def test_marks_of_this_platform_do_not_reach_the_vendor(upstream: Upstream, caller: Caller) -> None:
    upstream.will_answer(*MESSAGE)
    thought = {"type": "thinking", "thinking": "Hm", "signature": "aichat:WyJyZWFzb25pbmciLCJvcGVuYWkiLCIiLCJ4Il0="}
    said = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": [thought]}]
    await caller.call("messages", ASKED["messages"] | {"messages": [*said, {"role": "user", "content": "On"}]})
    assert b"aichat" not in upstream.bodies[0]


async def test_what_the_operator_allows_passes(upstream: Upstream, caller: Caller) -> None:
    upstream.will_answer(*MESSAGE)
    tools = [{"type": "code_execution_20260521", "name": "code_execution"}]
    await caller.call("messages", ASKED["messages"] | {"tools": tools})
    assert json.loads(upstream.bodies[0])["tools"] == tools


async def test_counts_of_tokens_pass_as_well(upstream: Upstream, caller: Caller) -> None:
    upstream.will_answer(b'{"input_tokens": 2095, "context_management": {"original_input_tokens": 3}}')
    asked = {name: told for name, told in ASKED["messages"].items() if name not in ("max_tokens", "stream")}
    reply = await caller.call("count", asked, anthropic_beta="b-1")
    assert reply.data == upstream.pieces[0]
    assert (upstream.paths, upstream.headers[0]["anthropic-beta"]) == (["/anthropic/v1/messages/count_tokens"], "b-1")
    upstream.will_answer(b'{"type": "error", "error": {"type": "invalid_request_error"}}', status=400)
    reply = await caller.call("count", asked)
    assert (reply.headers["x-aichat-status"], reply.data) == ("400", upstream.pieces[0])
