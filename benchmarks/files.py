"""A document of 20 MiB, in a message and as an upload: the memory that the server takes, and how long it stops for it.

gRPC itself holds a message three times for a moment while it receives it: nothing may come on top. A turn of the event
loop counts by the CPU that it used. Its time also has that of other threads and processes, and is the last column.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
from aichat.v1 import chat_pb2, chat_pb2_grpc, files_pb2, files_pb2_grpc, messages_pb2, parts_pb2
from google.api.httpbody_pb2 import HttpBody

from benchmarks.deployment import Target, conversing
from benchmarks.processes import leave_measured_core, memory_bytes, peak_memory_bytes, reset_peak_memory

MODEL = "claude-sonnet-5-5"
SIZE = 20 * 1024 * 1024
GOAL_MEMORY = 3.0
"""The server's memory above idle, relative to the document."""
GOAL_STOP_SECONDS = 0.05
_PIECE = 1024 * 1024

Send = Callable[[grpc.aio.Channel, bytes, tuple[tuple[str, str], ...]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was measured of one way; medians of all rounds."""

    name: str
    memory: float
    """The peak of the server's memory above idle, relative to the document."""
    stop: float
    """The longest stop of the event loop, in seconds."""
    stop_cpu: float
    """The most CPU that the loop used in one turn, in seconds."""
    seconds: float


async def measure_files(folder: Path, *, rounds: int) -> list[Seen]:
    """Measures each way of sending a document."""
    leave_measured_core()
    told = folder / "stops"
    async with conversing(folder, "benchmarks.probed", str(told)) as target:
        ways: dict[str, Send] = {"in a message (gRPC)": _chat, "as an upload (gRPC)": _upload}
        # The first calls load code.
        for send in ways.values():
            await _measure(target, send, _document(1000), told)
        found = []
        for name, send in ways.items():
            seen = [await _measure(target, send, _document(SIZE), told) for _ in range(rounds)]
            found.append(Seen(name, *(statistics.median(figures) for figures in zip(*seen, strict=True))))
        return found


def print_files(found: list[Seen]) -> None:
    """Prints the ways with their goals."""
    print()
    print("| a document of 20 MiB | memory above idle, relative to it | goal | longest turn | goal | stop |")
    print("|---|---|---|---|---|---|")
    for one in found:
        memory = f"{one.memory:.1f} | ≤ {GOAL_MEMORY:g}: {'met' if round(one.memory, 1) <= GOAL_MEMORY else 'missed'}"
        met = "met" if one.stop_cpu <= GOAL_STOP_SECONDS else "missed"
        turn = f"{one.stop_cpu * 1000:.0f} ms | ≤ {GOAL_STOP_SECONDS * 1000:.0f} ms: {met}"
        print(f"| {one.name} | {memory} | {turn} | {one.stop * 1000:.0f} ms |")


async def _measure(target: Target, send: Send, document: bytes, told: Path) -> tuple[float, float, float, float]:
    metadata = (("authorization", f"Bearer {target.key}"),)
    async with grpc.aio.insecure_channel(target.address, (("grpc.max_send_message_length", -1),)) as channel:
        await _stops(target, told)
        idle = memory_bytes(target.pid)
        reset_peak_memory(target.pid)
        began = time.perf_counter()
        await send(channel, document, metadata)
        seconds = time.perf_counter() - began
        memory = (peak_memory_bytes(target.pid) - idle) / len(document)
        return memory, *await _stops(target, told), seconds


async def _stops(target: Target, told: Path) -> tuple[float, float]:
    """Returns the longest stop since the last call, and the most CPU that one took."""
    told.unlink(missing_ok=True)
    os.kill(target.pid, signal.SIGUSR1)
    while not told.exists():
        await asyncio.sleep(0.01)
    longest, cpu = json.loads(told.read_text())
    return longest, cpu


async def _chat(channel: grpc.aio.Channel, document: bytes, metadata: tuple[tuple[str, str], ...]) -> None:
    parts = [
        messages_pb2.Part(document=parts_pb2.DocumentPart(data=document)),
        messages_pb2.Part(text=messages_pb2.TextPart(text="What is this?")),
    ]
    request = chat_pb2.StreamChatRequest(model=MODEL, parts=parts)
    stub: chat_pb2_grpc.ChatServiceAsyncStub = chat_pb2_grpc.ChatServiceStub(channel)
    async for _ in stub.StreamChat(request, metadata=metadata):
        """Only the server is measured."""


async def _upload(channel: grpc.aio.Channel, document: bytes, metadata: tuple[tuple[str, str], ...]) -> None:
    def pieces() -> Iterator[files_pb2.UploadFileRequest]:
        for start in range(0, len(document), _PIECE):
            yield files_pb2.UploadFileRequest(content=HttpBody(data=document[start : start + _PIECE]))

    stub: files_pb2_grpc.FileServiceAsyncStub = files_pb2_grpc.FileServiceStub(channel)
    await stub.UploadFile(pieces(), metadata=metadata)


def _document(size: int) -> bytes:
    """Returns a PDF of a page that nobody has stored yet."""
    head = b"%PDF-1.7\n2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj 3 0 obj<</Type/Page>>endobj "
    return head + os.urandom(size - len(head))
