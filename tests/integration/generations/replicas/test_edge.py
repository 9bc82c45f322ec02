"""The SDK's user sees one stream when Envoy itself is killed, and resuming and cancelling work as JSON."""

from __future__ import annotations

import asyncio
import os
import sys
from asyncio.subprocess import DEVNULL
from collections.abc import AsyncGenerator
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from aichat_sandbox.envoy import SERVE
from aichat_sandbox.ports import free_ports
from aichat_sandbox.supervisor import until
from aichat_sdk import AsyncAIChat, message_text

from tests.e2e.calls import first_sse_event, sse_events
from tests.fixtures.edge import Edge, run_edge
from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import MODEL, script, times_asked
from tests.integration.generations.replicas.test_p04_unbroken import WORDS, read_until


@pytest.fixture
async def edge(writer: ServerUnderTest, reader: ServerUnderTest, tmp_path: Path) -> AsyncGenerator[Edge, None]:
    async with run_edge(tmp_path / "envoy.yaml", *writer.addresses, *reader.addresses) as running:
        yield running


async def test_a_stream_outlives_envoy(edge: Edge, api_key: ApiKey, vendors: Vendors) -> None:
    text = script(deltas=WORDS, interval_ms=50) + str(uuid4())
    async with (
        AsyncAIChat(endpoint=edge.address, api_key=api_key.api_key) as client,
        client.chat.stream(model=MODEL, text=text) as stream,
    ):
        seen = await read_until(stream, "word5 ")
        await edge.kill()
        await edge.start()
        seen += [event async for event in stream]
        answer = await stream.get_final_message()
    numbers = [event.sequence for event in seen if event.heartbeat is None]
    assert numbers == list(range(1, len(numbers) + 1))
    assert (
        message_text(answer) == "".join(event.text_delta.text for event in seen if event.text_delta) == "".join(WORDS)
    )
    assert times_asked(vendors, text) == 1


async def test_an_edge_that_shuts_down_breaks_no_stream(
    writer: ServerUnderTest, api_key: ApiKey, tmp_path: Path
) -> None:
    port, admin = free_ports(2)
    edge = Edge(port, tmp_path / "unused")
    settings = {
        "PATH": os.environ["PATH"],
        "AICHAT_UPSTREAMS": ",".join(writer.addresses),
        "AICHAT_EDGE_LISTEN": edge.address,
        "AICHAT_EDGE_ADMIN": f"127.0.0.1:{admin}",
        "AICHAT_EDGE_ANNOUNCE_SECONDS": "1",
    }
    command = (sys.executable, SERVE, "--concurrency", "1")
    edge.process = await asyncio.create_subprocess_exec(*command, env=settings, stderr=DEVNULL, stdout=DEVNULL)
    body = {"model": MODEL, "parts": [{"text": {"text": script(words=60, interval_ms=100)}}]}
    async with httpx.AsyncClient(base_url=f"http://{edge.address}", headers=dict(api_key.metadata), timeout=20) as http:
        await edge.leads_somewhere(http)
        async with http.stream("POST", "/v1/chat:stream", json=body) as response:
            events = sse_events(response)
            await anext(events)
            edge.process.terminate()

            async def says_so() -> bool:
                return (await http.get("/healthz")).status_code == 503

            await until(says_so)
            assert (await http.get("/v1/models")).status_code == 200
            last = [event async for event in events][-1]
        assert "completed" in last
    assert await edge.process.wait() == 0


async def test_resuming_and_cancelling_over_http(edge: Edge, api_key: ApiKey) -> None:
    headers = dict(api_key.metadata)
    body = {"model": MODEL, "parts": [{"text": {"text": script(deltas=["a ", "b ", "c"], hang_after=2)}}]}
    async with httpx.AsyncClient(base_url=f"http://{edge.address}", headers=headers, timeout=20) as http:
        async with http.stream("POST", "/v1/chat:stream", json=body) as response:
            first = await first_sse_event(response)
            generation = f"/v1/generations/{first['started']['generation_id']}"
            async with http.stream("GET", f"{generation}:resume", params={"after_sequence": 1}) as resumed:
                assert resumed.headers["content-type"] == "text/event-stream"
                second = await first_sse_event(resumed)
                assert second["sequence"] == "2"
            async with http.stream(
                "GET", f"{generation}:resume", params={"after_sequence": 0}, headers={"last-event-id": "1"}
            ) as again:
                assert (await first_sse_event(again))["sequence"] == "2"
            cancelled = await http.post(f"{generation}:cancel", json={})
            assert (cancelled.status_code, cancelled.json()) == (200, {"state": "GENERATION_STATE_CANCELLED"})
        ended = await http.get(f"/v1/generations/{uuid4()}:resume")
        assert ended.status_code == 404
        assert "GENERATION_NOT_FOUND" in ended.text
