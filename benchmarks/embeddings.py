"""A call for a hundred vectors of 1536 numbers, beside a bare relay.

The relay sends the texts by raw HTTP, and turns the vendor's base64 into the contract's response. As a command this
module is the relay.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import signal
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import aiohttp
import grpc
import msgspec
from aichat.v1 import embeddings_pb2 as pb
from aichat.v1 import embeddings_pb2_grpc, openai_pb2, openai_pb2_grpc
from google.api.httpbody_pb2 import HttpBody

from benchmarks.deployment import Deployment
from benchmarks.processes import cpu_seconds, port_in, started

MODEL, INPUTS, NUMBERS = "text-embedding-3-small", 100, 1536
GOAL = 2.0
"""The server's CPU for a call, relative to the relay's."""
_TEXTS = [f"text {number} of a hundred" for number in range(INPUTS)]
_OPTIONS = (("grpc.max_receive_message_length", -1),)

Send = Callable[[grpc.aio.Channel, tuple[tuple[str, str], ...]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What was measured of one way; medians of all rounds, in seconds."""

    name: str
    cpu: float
    """Of the measured process, for one call."""
    took: float


async def measure_embeddings(deployment: Deployment, folder: Path, *, calls: int, rounds: int) -> list[Seen]:
    """Measures the relay and the server, by its own API and by OpenAI's; they take turns within each round."""
    port_file = folder / "embeddings.port"
    arguments = ("benchmarks.embeddings", "--upstream", deployment.upstream, "--port-file", str(port_file))
    server = deployment.targets["coalesced"]
    async with started(*arguments, measured=True) as relay:
        address = f"127.0.0.1:{await port_in(port_file, relay)}"
        ways: dict[str, tuple[int, str, str, Send]] = {
            "bare relay (grpc.aio + raw HTTP)": (relay.pid, address, "none", _native),
            "this server": (server.pid, server.address, server.key, _native),
            "this server, by OpenAI's API": (server.pid, server.address, server.key, _openai),
        }
        seen: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for number in range(rounds + 1):
            for name, way in ways.items():
                # The first calls load code.
                found = await _measure(*way, calls=calls if number else 2)
                seen[name] += [found] if number else []
    return [Seen(name, *(statistics.median(one) for one in zip(*found, strict=True))) for name, found in seen.items()]


def print_embeddings(found: list[Seen]) -> None:
    """Prints the ways, relative to the relay."""
    print()
    print(f"| {INPUTS} vectors of {NUMBERS} numbers | CPU of a call | relative | goal | time |")
    print("|---|---|---|---|---|")
    bare = found[0].cpu
    for one in found:
        ratio = one.cpu / bare if bare else 0.0
        goal = "" if one is found[0] else f"≤ {GOAL:g}: {'met' if ratio <= GOAL else 'missed'}"
        print(f"| {one.name} | {one.cpu * 1000:.1f} ms | {ratio:.2f} | {goal} | {one.took * 1000:.0f} ms |")


async def _measure(pid: int, address: str, key: str, send: Send, *, calls: int) -> tuple[float, float]:
    metadata = (("authorization", f"Bearer {key}"),)
    async with grpc.aio.insecure_channel(address, _OPTIONS) as channel:
        before, began = cpu_seconds(pid), time.perf_counter()
        for _ in range(calls):
            await send(channel, metadata)
        return (cpu_seconds(pid) - before) / calls, (time.perf_counter() - began) / calls


async def _native(channel: grpc.aio.Channel, metadata: tuple[tuple[str, str], ...]) -> None:
    stub: embeddings_pb2_grpc.EmbeddingServiceAsyncStub = embeddings_pb2_grpc.EmbeddingServiceStub(channel)
    request = pb.CreateEmbeddingsRequest(model=MODEL, texts=_TEXTS)
    response = await stub.CreateEmbeddings(request, metadata=metadata)
    assert [len(one.values) for one in response.embeddings] == [NUMBERS] * INPUTS


async def _openai(channel: grpc.aio.Channel, metadata: tuple[tuple[str, str], ...]) -> None:
    stub: openai_pb2_grpc.OpenAIServiceAsyncStub = openai_pb2_grpc.OpenAIServiceStub(channel)
    body = msgspec.json.encode({"model": MODEL, "input": _TEXTS, "encoding_format": "base64"})
    request = openai_pb2.CreateOpenAIEmbeddingsRequest(body=HttpBody(content_type="application/json", data=body))
    pieces = [one.piece.data async for one in stub.CreateOpenAIEmbeddings(request, metadata=metadata)]
    assert len(msgspec.json.decode(b"".join(pieces))["data"]) == INPUTS


class _Vector(msgspec.Struct):
    embedding: str


class _Vectors(msgspec.Struct):
    data: list[_Vector]


Request: TypeAlias = pb.CreateEmbeddingsRequest
Response: TypeAlias = pb.CreateEmbeddingsResponse


def relay(upstream: str, session: aiohttp.ClientSession) -> Callable[..., Awaitable[Response]]:
    """Raw HTTP in, grpc.aio out."""

    async def create(request: Request, _context: grpc.aio.ServicerContext[Request, Response]) -> Response:
        body = {"model": request.model, "input": list(request.texts), "encoding_format": "base64"}
        async with session.post(f"{upstream}/embeddings", json=body) as response:
            told = msgspec.json.decode(await response.read(), type=_Vectors)
        made = [memoryview(base64.b64decode(one.embedding)).cast("f") for one in told.data]
        return Response(embeddings=[pb.Embedding(values=vector) for vector in made])

    return create


async def serve(upstream: str, port_file: Path) -> None:
    """Serves the relay until SIGTERM."""
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    async with aiohttp.ClientSession(headers={"authorization": "Bearer bench"}) as session:
        server = grpc.aio.server()
        handler = grpc.unary_unary_rpc_method_handler(
            relay(upstream, session),
            request_deserializer=Request.FromString,
            response_serializer=Response.SerializeToString,
        )
        service = grpc.method_handlers_generic_handler("aichat.v1.EmbeddingService", {"CreateEmbeddings": handler})
        server.add_generic_rpc_handlers((service,))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        await asyncio.to_thread(port_file.write_text, str(port))
        await stopped.wait()
        await server.stop(None)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--port-file", type=Path, required=True)
    options = parser.parse_args()
    asyncio.run(serve(options.upstream, options.port_file))
