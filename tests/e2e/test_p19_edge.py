"""Promise 19: callers without credentials can use only a limited part of the edge's memory, connections and servers."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from aichat_sandbox.platform import Platform

from tests.e2e.calls import CHAT, Metadata, chat_body, error_of

UPLOADS, SENT_BYTES = 150, 2 * 1024 * 1024
MOST_MIB = 300
STREAM_CHAT = "/aichat.v1.ChatService/StreamChat"


def edge_memory_mib(platform: Platform) -> float:
    """Returns the memory of Envoy itself, a child of the process that the platform knows."""
    wrapper = platform.supervisor.pids["envoy"]
    [pid] = Path(f"/proc/{wrapper}/task/{wrapper}/children").read_text().split()
    [line] = [line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


async def begin_upload(platform: Platform, path: str, kind: str, authorization: str) -> asyncio.StreamWriter:
    """Begins an upload that never ends."""
    host, port = platform.grpc.split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    kinds = f"content-type: {kind}\r\ncontent-length: {2 * SENT_BYTES}\r\n"
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\n{kinds}{authorization}\r\n"
    writer.write(head.encode() + b" " * SENT_BYTES)
    try:
        await writer.drain()
    except ConnectionError:
        """It was refused and closed, which is just as good."""
    return writer


@pytest.mark.parametrize("authorization", ["", "authorization: Bearer ak_of_nobody\r\n"], ids=["anonymous", "bogus"])
@pytest.mark.parametrize(
    ("path", "kind"),
    [
        (CHAT, "application/json"),
        (STREAM_CHAT, "application/grpc-web+proto"),
        ("/v1/stripe/webhook", "application/json"),
    ],
    ids=["JSON", "gRPC-Web", "webhook"],
)
async def test_unfinished_uploads_of_strangers_take_little_memory(
    platform: Platform, http: httpx.AsyncClient, path: str, kind: str, authorization: str
) -> None:
    before = edge_memory_mib(platform)
    uploads = [asyncio.create_task(begin_upload(platform, path, kind, authorization)) for _ in range(UPLOADS)]
    done, waiting = await asyncio.wait(uploads, timeout=10)
    assert edge_memory_mib(platform) - before < MOST_MIB
    assert (await http.get("/v1/models")).status_code == 200
    for task in waiting:
        task.cancel()
    for task in done:
        task.result().close()


async def test_a_large_message_of_somebody_known_is_taken_and_of_nobody_is_not(
    http: httpx.AsyncClient, stranger: httpx.AsyncClient
) -> None:
    body = chat_body("x" * 500_000)
    async with http.stream("POST", CHAT, json=body) as response:
        assert response.status_code == 200
    body = chat_body("x" * 1_000_000)
    assert error_of(await stranger.post(CHAT, json=body))[:2] == (401, "CREDENTIALS_INVALID")
    bogus = await stranger.post(CHAT, json=body, headers={"authorization": "Bearer ak_of_nobody"})
    assert error_of(bogus)[:2] == (401, "CREDENTIALS_INVALID")


async def test_a_connection_that_sends_nothing_is_closed(platform: Platform) -> None:
    host, port = platform.grpc.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    async with asyncio.timeout(60):
        assert await reader.read() == b""
    writer.close()


@pytest.mark.parametrize(
    "path",
    [
        "/grpc.health.v1.Health/Watch",
        "/grpc.health.v1.Health/List",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/nobody.Service/Call",
    ],
)
async def test_operators_endpoints_are_not_reachable_from_outside(platform: Platform, path: str) -> None:
    async with grpc.aio.insecure_channel(platform.grpc) as channel:
        call: Any = channel.unary_unary(path)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await call(b"")
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert b"ROUTE_UNKNOWN" in dict(caught.value.trailing_metadata() or ())["grpc-status-details-bin"]


async def test_a_connection_has_100_calls_at_most(platform: Platform, metadata: Metadata) -> None:
    """Further calls wait in the client."""
    async with grpc.aio.insecure_channel(platform.grpc) as channel:
        call: Any = channel.unary_unary("/aichat.v1.ChatService/ListModels")
        answers = await asyncio.gather(*(call(b"", metadata=metadata) for _ in range(150)))
    assert len(answers) == 150
