"""What the APIs of other companies cost beside the native RPC: CPU for each delta, and the first delta of large calls.

A call whose API is that of the model's vendor passes as it was sent; any other is converted.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import grpc
from aichat.v1 import anthropic_pb2, chat_pb2, messages_pb2, openai_pb2
from aichat.v1.anthropic_pb2_grpc import AnthropicServiceStub
from aichat.v1.chat_pb2_grpc import ChatServiceStub
from aichat.v1.openai_pb2_grpc import OpenAIServiceStub
from google.api.httpbody_pb2 import HttpBody

from benchmarks.deployment import Target, compatible
from benchmarks.litellm import measure_litellm
from benchmarks.processes import cpu_seconds, leave_measured_core

GPT, CLAUDE = "gpt-6-luna", "claude-haiku-5-5"
GOAL_SAME, GOAL_CONVERTED, GOAL_LARGE = 1.0, 1.2, 1.3
TOOLS, LARGE_BYTES = 12, 49_000
_VERSION = "2023-06-01"


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to ask a model."""

    name: str
    api: str
    model: str
    goal: float | None
    """Of its CPU relative to the native RPC's; None for that itself."""


KINDS = (
    Kind("native RPC, a model of OpenAI's", "native", GPT, None),
    Kind("Chat Completions, as sent", "chat", GPT, GOAL_SAME),
    Kind("Responses, as sent", "responses", GPT, GOAL_SAME),
    Kind("Messages, converted", "messages", GPT, GOAL_CONVERTED),
    Kind("native RPC, Claude", "native", CLAUDE, None),
    Kind("Messages, as sent", "messages", CLAUDE, GOAL_SAME),
    Kind("Chat Completions, converted", "chat", CLAUDE, GOAL_CONVERTED),
    Kind("Responses, converted", "responses", CLAUDE, GOAL_CONVERTED),
)


@dataclass(slots=True)
class Compat:
    """The figures, one per round."""

    cpu: dict[Kind, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    """Seconds of the server's CPU for each delta that the vendor sent."""
    small: list[float] = field(default_factory=list)
    """Seconds that the server adds to the first delta of a small call of Anthropic's API."""
    large: list[float] = field(default_factory=list)
    """The same for a call as large as the first of a coding agent's."""
    litellm: dict[str, list[float]] = field(default_factory=dict)
    """As `cpu`, of LiteLLM's proxy; empty if that is not installed."""


async def measure_compat(folder: Path, *, streams: int, deltas: int, turns: int, rounds: int) -> Compat:
    """Measures all kinds, which take turns within each round."""
    leave_measured_core()
    found = Compat()
    async with compatible(folder) as (target, upstream), grpc.aio.insecure_channel(target.address) as channel:
        for kind in KINDS:
            await _run(channel, target, kind, streams=2, script={"words": 5})
        for _ in range(rounds):
            for kind, costs in found.cpu.items():
                before = cpu_seconds(target.pid)
                await _run(channel, target, kind, streams=streams, script={"words": deltas, "interval_ms": 20})
                costs.append((cpu_seconds(target.pid) - before) / (streams * deltas))
            for body, added in ((_message(large=False), found.small), (_message(large=True), found.large)):
                ours = [await _first(channel, target, body) for _ in range(turns)]
                direct = [await _direct(upstream, body) for _ in range(turns)]
                added.append(statistics.median(ours) - statistics.median(direct))
        found.litellm = await measure_litellm(folder, upstream, streams=streams, deltas=deltas, rounds=rounds)
    return found


async def _run(
    channel: grpc.aio.Channel, target: Target, kind: Kind, *, streams: int, script: Mapping[str, object]
) -> None:
    text = f"#script {json.dumps(script)}"
    async with asyncio.TaskGroup() as group:
        for _ in range(streams):
            group.create_task(_drain(_call(channel, target, kind, text)))


async def _drain(call: Any) -> None:
    async for _ in call:
        """Only its cost counts."""
    if "x-aichat-status" in dict(await call.initial_metadata() or ()):
        raise RuntimeError("a call was refused, and measures nothing")


def _call(channel: grpc.aio.Channel, target: Target, kind: Kind, text: str) -> Any:
    if kind.api == "native":
        parts = [messages_pb2.Part(text=messages_pb2.TextPart(text=text))]
        request = chat_pb2.StreamChatRequest(model=kind.model, parts=parts)
        return ChatServiceStub(channel).StreamChat(request, metadata=_metadata(target))
    body: dict[str, Any] = {"model": kind.model, "stream": True}
    said = [{"role": "user", "content": text}]
    match kind.api:
        case "chat":
            body |= {"messages": said}
        case "responses":
            body |= {"input": said, "store": False}
        case _:
            body |= {"messages": said, "max_tokens": 4096}
    return _send(channel, target, kind.api, json.dumps(body).encode())


def _send(channel: grpc.aio.Channel, target: Target, api: str, data: bytes) -> Any:
    body = HttpBody(content_type="application/json", data=data)
    calls: Mapping[str, Callable[[], Any]] = {
        "chat": lambda: OpenAIServiceStub(channel).CreateChatCompletion(
            openai_pb2.CreateChatCompletionRequest(body=body), metadata=_metadata(target)
        ),
        "responses": lambda: OpenAIServiceStub(channel).CreateResponse(
            openai_pb2.CreateResponseRequest(body=body), metadata=_metadata(target)
        ),
        "messages": lambda: AnthropicServiceStub(channel).CreateMessage(
            anthropic_pb2.CreateMessageRequest(body=body), metadata=_metadata(target)
        ),
    }
    return calls[api]()


def _metadata(target: Target) -> tuple[tuple[str, str], ...]:
    return ("authorization", f"Bearer {target.key}"), ("anthropic-version", _VERSION), ("x-aichat-reattach", "off")


def _message(*, large: bool) -> dict[str, Any]:
    """Returns a call of Anthropic's API, as large as the first of a coding agent's if `large`."""
    said = [{"role": "user", "content": '#script {"words": 2, "interval_ms": 10}'}]
    body: dict[str, Any] = {"model": CLAUDE, "max_tokens": 4096, "stream": True, "messages": said}
    if large:
        words = "Use this tool when it helps, and tell what you did. "
        description = words * (LARGE_BYTES // TOOLS // len(words))
        schema = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
        body["tools"] = [
            {"name": f"tool_{n}", "description": description, "input_schema": schema} for n in range(TOOLS)
        ]
    return body


async def _first(channel: grpc.aio.Channel, target: Target, body: Mapping[str, Any]) -> float:
    """Returns the seconds to the first delta."""
    began, seen = time.perf_counter(), 0.0
    async for response in _send(channel, target, "messages", json.dumps(body).encode()):
        if not seen and b"text_delta" in response.piece.data:
            seen = time.perf_counter() - began
    return seen


async def _direct(upstream: str, body: Mapping[str, Any]) -> float:
    """Returns the same of the vendor itself."""
    began, seen = time.perf_counter(), 0.0
    headers = {"x-api-key": "bench", "anthropic-version": _VERSION}
    async with (
        aiohttp.ClientSession(headers=headers) as session,
        session.post(f"{upstream}/anthropic/v1/messages", data=json.dumps(body).encode()) as response,
    ):
        async for line in response.content:
            if not seen and b"text_delta" in line:
                seen = time.perf_counter() - began
    return seen


def print_compat(found: Compat) -> None:
    """Prints the kinds side by side; ratios are of medians."""
    print()
    print("| APIs of other companies | CPU per delta | relative to the native RPC | goal |")
    print("|---|---|---|---|")
    native = 0.0
    for kind, costs in found.cpu.items():
        cost = statistics.median(costs)
        native = cost if kind.goal is None else native
        ratio = cost / native
        goal = "" if kind.goal is None else f"≤ {kind.goal:.1f}: {'met' if ratio <= kind.goal else 'missed'}"
        print(f"| {kind.name} | {cost * 1e6:.0f} µs | {ratio:.2f} | {goal} |")
    native = statistics.median(next(iter(found.cpu.values())))
    for name, costs in found.litellm.items():
        cost = statistics.median(costs)
        print(f"| {name} | {cost * 1e6:.0f} µs | {cost / native:.2f} | |")
    small, large = statistics.median(found.small), statistics.median(found.large)
    told = f"{small * 1000:.1f} ms, {large * 1000:.1f} ms"
    goal = f"≤ {GOAL_LARGE}: {'met' if large / small <= GOAL_LARGE else 'missed'}"
    what = "first delta of 49 KB and 12 tools, added, relative to a small call's"
    print(f"| {what} | {told} | {large / small:.2f} | {goal} |")
