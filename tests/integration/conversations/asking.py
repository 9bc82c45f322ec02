"""Calls of the chat tests, and readers of the results."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterable, Awaitable, Callable, Sequence
from typing import TypeVar

import grpc
from aichat.v1 import chat_pb2, conversations_pb2, events_pb2, messages_pb2
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.fixtures.vendors import Vendors

MODEL = "gpt-6-luna"
T = TypeVar("T")
Event = chat_pb2.StreamChatResponse | chat_pb2.ResumeChatResponse
EventT = TypeVar("EventT", chat_pb2.StreamChatResponse, chat_pb2.ResumeChatResponse)


def script(**reply: object) -> str:
    """Returns a message that tells the vendors' stand-in how to reply."""
    return f"#script {json.dumps(reply)}"


def asking(text: str, *, model: str = MODEL, **fields: object) -> chat_pb2.StreamChatRequest:
    """Returns a request with one part of text."""
    part = messages_pb2.Part(text=messages_pb2.TextPart(text=text))
    return chat_pb2.StreamChatRequest(model=model, parts=[part], **fields)  # type: ignore[arg-type]


async def ask(server: ServerUnderTest, key: ApiKey, text: str, **fields: object) -> list[chat_pb2.StreamChatResponse]:
    """Returns all events of an answer that succeeds."""
    return [event async for event in stream(server, key, text, **fields)]


def stream(
    server: ServerUnderTest, key: ApiKey, text: str, **fields: object
) -> grpc.aio.UnaryStreamCall[chat_pb2.StreamChatRequest, chat_pb2.StreamChatResponse]:
    """Returns an answer as it arrives."""
    return server.chat.StreamChat(asking(text, **fields), metadata=key.metadata)  # type: ignore[arg-type]


async def first_event(call: AsyncIterable[EventT]) -> EventT:
    """Returns the first event that is not a heartbeat; on a busy machine some heartbeats arrive before it."""
    async for event in call:
        if not event.HasField("heartbeat"):
            return event
    raise AssertionError("the stream has no event")


async def refusal(events: AsyncIterable[Event] | Awaitable[object]) -> Refusal:
    """Returns the failure of a call, and the events before it."""
    seen: list[Event] = []
    try:
        if isinstance(events, AsyncIterable):
            async for event in events:
                seen.append(event)  # noqa: PERF401 — the events before the failure are wanted, too
        else:
            await events
    except grpc.aio.AioRpcError as error:
        return Refusal(error, seen)
    raise AssertionError("the call succeeded")


class Refusal:
    """A failed call."""

    def __init__(self, error: grpc.aio.AioRpcError, seen: Sequence[Event]) -> None:
        self.code = error.code()
        self.message = error.details() or ""
        self.seen = seen
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
        assert status is not None, f"no typed error: {error.code()} {error.details()}"
        info, self.retry_after = error_details_pb2.ErrorInfo(), None
        for detail in status.details:
            retry = error_details_pb2.RetryInfo()
            if detail.Unpack(retry):
                self.retry_after = retry.retry_delay.ToTimedelta().total_seconds()
            else:
                detail.Unpack(info)
        self.reason = info.reason
        self.metadata = dict(info.metadata)


def started_of(events: Sequence[Event]) -> events_pb2.ChatStarted:
    """Returns the event that begins the answer. On a busy machine heartbeats come before it."""
    return next(event.started for event in events if event.HasField("started"))


def text_of(events: Sequence[Event]) -> str:
    """Returns the text of the answer's events."""
    return "".join(event.text_delta.text for event in events)


async def history(server: ServerUnderTest, key: ApiKey, conversation_id: str) -> list[messages_pb2.Message]:
    """Returns a conversation's messages."""
    request = conversations_pb2.ListMessagesRequest(conversation_id=conversation_id)
    return list((await server.conversations.ListMessages(request, metadata=key.metadata)).messages)


async def conversations(server: ServerUnderTest, key: ApiKey) -> list[conversations_pb2.Conversation]:
    """Returns the organisation's conversations."""
    request = conversations_pb2.ListConversationsRequest()
    return list((await server.conversations.ListConversations(request, metadata=key.metadata)).conversations)


async def eventually(look: Callable[[], Awaitable[T]], wanted: Callable[[T], bool]) -> T:
    """Repeats `look` until its result is wanted."""
    async with asyncio.timeout(60):
        while not wanted(seen := await look()):
            await asyncio.sleep(0.02)
    return seen


def times_asked(vendors: Vendors, text: str) -> int:
    """Returns how often the vendors' stand-in received this text."""
    return sum(text in json.dumps(entry["body"], ensure_ascii=False).replace('\\"', '"') for entry in vendors.log())
