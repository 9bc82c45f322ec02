"""The load: a number of concurrent streams against one server."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field

import grpc
from aichat.v1 import chat_pb2, chat_pb2_grpc, messages_pb2, options_pb2


@dataclass
class Seen:
    """What all streams of one run measured."""

    first_delta_seconds: list[float] = field(default_factory=list)
    """The time from the call to its first text, one entry per stream."""
    longest_gap_seconds: float = 0.0
    """The longest silence between two events of one stream."""
    characters: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """The work of one run."""

    target: str
    key: str
    model: str
    script: str
    streams: int
    one_by_one: bool
    """Whether to run them one after another, rather than all at once."""
    seconds: float | None
    """The time after which to disconnect; None: when the streams end."""
    apart_seconds: float = 0.0
    """The time from the beginning of one stream to that of the next."""
    more: tuple[messages_pb2.Part, ...] = ()
    """Parts besides the script."""
    tools: tuple[options_pb2.Tool, ...] = ()


async def run(load: Load, seen: Seen | None = None) -> Seen:
    """Runs the chats; returns their measurements, in `seen` if given."""
    seen = Seen() if seen is None else seen
    async with grpc.aio.insecure_channel(load.target) as channel:
        stub = chat_pb2_grpc.ChatServiceStub(channel)
        if load.one_by_one:
            for _ in range(load.streams):
                await _chat(stub, load, seen)
            return seen
        with suppress(TimeoutError):
            async with asyncio.timeout(load.seconds), asyncio.TaskGroup() as group:
                for _ in range(load.streams):
                    group.create_task(_chat(stub, load, seen))
                    await asyncio.sleep(load.apart_seconds)
    return seen


async def _chat(stub: chat_pb2_grpc.ChatServiceAsyncStub, load: Load, seen: Seen) -> None:
    parts = [*load.more, messages_pb2.Part(text=messages_pb2.TextPart(text=load.script))]
    options = options_pb2.ChatOptions(tools=load.tools)
    # Nobody waits for an answer that the load abandons.
    request = chat_pb2.StreamChatRequest(model=load.model, parts=parts, options=options, cancel_on_disconnect=True)
    began = last = time.perf_counter()
    first = True
    async for response in stub.StreamChat(request, metadata=(("authorization", f"Bearer {load.key}"),)):
        now = time.perf_counter()
        text = response.text_delta.text
        if text and first:
            first = False
            seen.first_delta_seconds.append(now - began)
        elif not first:
            seen.longest_gap_seconds = max(seen.longest_gap_seconds, now - last)
        last = now
        seen.characters += len(text)
