"""Server-sent events through the edge."""

from __future__ import annotations

import asyncio
import json

import httpx
import pytest
from aichat_sandbox.platform import Platform

from tests.e2e.calls import CHAT, MODELS, chat_body, chat_events, error_of, first_sse_event, script, sse_events
from tests.fixtures.platform import HEARTBEAT_SECONDS


@pytest.mark.parametrize("model", MODELS)
async def test_a_chat_streams(http: httpx.AsyncClient, model: str) -> None:
    events = await chat_events(http, "Hello", model=model)
    assert "started" in events[0]
    assert "completed" in events[-1]
    numbers = [int(event["sequence"]) for event in events if "heartbeat" not in event]
    assert numbers == list(range(1, len(numbers) + 1))
    answer = events[-1]["completed"]["message"]
    text = "".join(event["text_delta"]["text"] for event in events if "text_delta" in event)
    reasoning, said = answer["parts"]
    assert (answer["model"], reasoning["reasoning"]["folded"], said["text"]["text"]) == (model, True, text)
    assert answer["cost"]["currency_code"] == "USD"


async def test_a_tool_call_streams(http: httpx.AsyncClient) -> None:
    text = script(deltas=["Let me see."], tools=[{"name": "add", "arguments": {"n": 1}}])
    tools = [{"name": "add", "description": "Adds."}]
    events = await chat_events(http, text, model="gemini-3.5-flash-lite", options={"tools": tools})
    (begun,) = [event["tool_call_started"] for event in events if "tool_call_started" in event]
    (call,) = [event["tool_call_ended"]["call"] for event in events if "tool_call_ended" in event]
    assert call == {**begun, "arguments": call["arguments"], "arguments_invalid": False}
    assert json.loads(call["arguments"]) == {"n": 1}
    answer = events[-1]["completed"]["message"]
    assert (answer["stop_reason"], answer["parts"][-1]) == ("STOP_REASON_TOOL_USE", {"tool_call": call})
    result = {"tool_result": {"call_id": call["call_id"], "parts": [{"text": {"text": "2"}}]}}
    body = {"model": answer["model"], "conversation_id": answer["conversation_id"], "parts": [result]}
    response = await http.post(CHAT, json={**body, "parts": [result, result]})
    assert error_of(response) == (400, "TOOL_RESULTS_MISMATCHED", {"repeated": call["call_id"]})
    response = await http.post(CHAT, json=body)
    assert "STOP_REASON_END_TURN" in response.text


async def test_events_arrive_as_they_happen(http: httpx.AsyncClient) -> None:
    # The vendor falls silent after the first words, which arrive anyway.
    text = script(deltas=["first", "never"], hang_after=1)
    async with asyncio.timeout(10), http.stream("POST", CHAT, json=chat_body(text)) as response:
        assert response.headers["content-type"] == "text/event-stream"
        async for event in sse_events(response):
            if "text_delta" in event:
                assert event["text_delta"]["text"] == "first"
                break


async def test_a_silent_vendor_leaves_a_stream_with_heartbeats(http: httpx.AsyncClient) -> None:
    text = script(deltas=["first", "never"], hang_after=1)
    beats = 0
    async with asyncio.timeout(20 * HEARTBEAT_SECONDS), http.stream("POST", CHAT, json=chat_body(text)) as response:
        async for event in sse_events(response):
            beats += "heartbeat" in event
            if beats == 3:
                return
    pytest.fail("the stream ended")


async def test_an_error_before_the_first_event_is_an_http_error(http: httpx.AsyncClient) -> None:
    response = await http.post(CHAT, json=chat_body(script(status=429, retry_after=7)))
    assert error_of(response) == (503, "PROVIDER_RATE_LIMITED", {"provider": "anthropic"})
    retry = [detail for detail in response.json()["details"] if detail["@type"].endswith("RetryInfo")]
    assert retry[0]["retry_delay"] == "7s"


async def test_an_error_later_ends_the_stream_without_completed_and_says_why_in_trailers(
    platform: Platform, http: httpx.AsyncClient
) -> None:
    body = json.dumps(chat_body(script(deltas=["one ", "two ", "three"], cut_after=2))).encode()
    host, port = platform.grpc.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"POST {CHAT} HTTP/1.1\r\nhost: {platform.grpc}\r\nauthorization: {http.headers['authorization']}\r\n"
        f"content-type: application/json\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    assert answer.startswith("HTTP/1.1 200 ")
    assert '"text_delta"' in answer
    assert '"completed"' not in answer
    # Trailers follow the last chunk of an HTTP/1.1 body.
    trailers = answer.rpartition("\r\n0\r\n")[2]
    assert "grpc-status: 14\r\n" in trailers
    assert "grpc-status-details-bin: " in trailers


async def test_an_error_later_is_an_event_that_says_why(http: httpx.AsyncClient) -> None:
    events = await chat_events(http, script(deltas=["one ", "two ", "three"], cut_after=2))
    status = events[-1]["error"]
    [info] = [detail for detail in status["details"] if detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"]
    assert (status["code"], info["reason"], info["domain"]) == (14, "PROVIDER_STREAM_BROKEN", "aichat.v1")
    assert status["message"]
    assert "".join(event["text_delta"]["text"] for event in events if "text_delta" in event) == "one two "


async def test_an_event_source_resumes_where_it_was(http: httpx.AsyncClient) -> None:
    events = await chat_events(http, "Hello")
    numbers = [event["sequence"] for event in events if "heartbeat" not in event]
    path = f"/v1/generations/{events[0]['started']['generation_id']}:resume"
    for last in (numbers[0], numbers[-2]):
        # It reconnects to its original address.
        headers = {"last-event-id": last, "accept": "text/event-stream"}
        async with http.stream("GET", path, params={"after_sequence": "0"}, headers=headers) as response:
            assert response.headers["content-type"] == "text/event-stream"
            assert [event["sequence"] async for event in sse_events(response)] == numbers[numbers.index(last) + 1 :]
    # An empty stream at the end would make it reconnect forever.
    over = await http.get(path, headers={"last-event-id": numbers[-1]})
    assert (over.status_code, over.content) == (204, b"")
    assert not [name for name in over.headers if name.startswith("x-aichat-")]


@pytest.mark.parametrize("last", ["-1", "x", "1.5", "9" * 30, "1000000"])
async def test_a_stream_cannot_resume_after_an_event_that_does_not_exist(http: httpx.AsyncClient, last: str) -> None:
    started = (await chat_events(http, "Hello"))[0]["started"]
    path = f"/v1/generations/{started['generation_id']}:resume"
    assert error_of(await http.get(path, headers={"last-event-id": last}))[:2] == (400, "REQUEST_INVALID")


async def test_proxies_are_asked_not_to_buffer_events(http: httpx.AsyncClient) -> None:
    async with http.stream("POST", CHAT, json=chat_body("Hello")) as response:
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["cache-control"] == "no-store"


async def test_a_caller_who_disconnects_finds_the_whole_answer_in_history(http: httpx.AsyncClient) -> None:
    text = script(words=20, interval_ms=20)
    async with http.stream("POST", CHAT, json=chat_body(text)) as response:
        started = (await first_sse_event(response))["started"]
    path = f"/v1/conversations/{started['conversation_id']}/messages"
    async with asyncio.timeout(20):
        while len(messages := (await http.get(path)).json()["messages"]) < 2:
            await asyncio.sleep(0.05)
    assert messages[1]["state"] == "MESSAGE_STATE_COMPLETE"
    assert len(messages[1]["parts"][0]["text"]["text"].split()) == 20
