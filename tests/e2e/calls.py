"""Requests of the end-to-end tests, and readers of the responses."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
from aichat.v1 import chat_pb2, messages_pb2
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

MODEL = "claude-haiku-5-5"
MODELS = (MODEL, "gpt-6-luna", "gemini-3.5-flash-lite")
CHAT = "/v1/chat:stream"

Metadata = tuple[tuple[str, str], ...]


def script(**how: Any) -> str:
    """Returns a message that tells the vendors' stand-in how to answer."""
    return f"#script {json.dumps(how)}"


def chat_request(text: str, model: str = MODEL, **fields: Any) -> chat_pb2.StreamChatRequest:
    """Returns a message to a model, for native calls."""
    part = messages_pb2.Part(text=messages_pb2.TextPart(text=text))
    return chat_pb2.StreamChatRequest(parts=[part], model=model, **fields)


def chat_body(text: str, model: str = MODEL, **fields: Any) -> dict[str, Any]:
    """Returns a message to a model, as JSON."""
    return {"parts": [{"text": {"text": text}}], "model": model, **fields}


async def sse_events(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    """Yields the data of a stream's events as they arrive; an event named `error` as `{"error": status}`."""
    event: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            event[name] = value
            continue
        data = json.loads(event["data"])
        if "event" in event:
            assert event.keys() == {"event", "data"}
            yield {event["event"]: data}
        else:
            assert event.keys() == {"data", "id"}
            assert event["id"] == data["sequence"]
            yield data
        event = {}


async def first_sse_event(response: httpx.Response) -> dict[str, Any]:
    """Returns the first event that is not a heartbeat; on a busy machine some heartbeats arrive before it."""
    return await anext(event async for event in sse_events(response) if "heartbeat" not in event)


async def chat_events(client: httpx.AsyncClient, text: str, **fields: Any) -> list[dict[str, Any]]:
    """Returns all events of a chat that succeeds."""
    async with client.stream("POST", CHAT, json=chat_body(text, **fields)) as response:
        assert response.status_code == 200, await response.aread()
        return [event async for event in sse_events(response)]


def error_of(response: httpx.Response) -> tuple[int, str, dict[str, str]]:
    """Returns HTTP status, reason and metadata of a failed call, which must be in the contract's form."""
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    assert isinstance(body["code"], int)
    assert body["message"]
    [info] = [detail for detail in body["details"] if detail["@type"] == "type.googleapis.com/google.rpc.ErrorInfo"]
    assert info["domain"] == "aichat.v1"
    return response.status_code, info["reason"], info.get("metadata", {})


def info_of(status: Status) -> ErrorInfo:
    """Returns the detail that every error has."""
    [info] = [detail for detail in status.details if detail.Is(ErrorInfo.DESCRIPTOR)]
    found = ErrorInfo()
    assert info.Unpack(found)
    return found
