"""Streams without a block: handed on, closed by hand, or forgotten."""

from __future__ import annotations

import asyncio
import gc

import grpc
import pytest
from aichat_sdk import AIChat, AsyncAIChat, ClosedError

from tests.unit.sdk.scripted import API_KEY, ScriptedServer, answer, fail, hang, started, text_delta


async def test_a_stream_is_read_where_it_is_handed_to(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", answer("a", "b"), answer("a", "b"), hang(started()))
    stream = client.chat.stream(model="m", text="Hi")
    assert server.calls == []
    assert [text async for text in stream.text_stream] == ["a", "b"]
    await stream.close()
    assert await stream.get_final_text() == "ab"
    shared = client.chat.stream(model="m", text="Hi")
    assert {*await asyncio.gather(shared.get_final_text(), shared.get_final_text())} == {"ab"}
    early = await client.chat.stream(model="m", text="Hi").open()
    await early.close()
    await server.cancelled.get()
    with pytest.raises(ClosedError):
        await anext(early)


@pytest.mark.parametrize("kind", [AsyncAIChat, AIChat])
async def test_a_forgotten_stream_warns_and_ends_its_call(
    server: ScriptedServer, kind: type[AsyncAIChat | AIChat]
) -> None:
    server.on("StreamChat", hang(started()))
    client = kind(endpoint=server.endpoint, api_key=API_KEY)

    def forget_in_thread(client: AIChat) -> None:
        client.chat.stream(model="m", text="Hi").open()

    async def forget() -> None:
        if isinstance(client, AIChat):
            await asyncio.to_thread(forget_in_thread, client)
        else:
            await client.chat.stream(model="m", text="Hi").open()
        gc.collect()

    with pytest.warns(ResourceWarning, match="the stream of generation-3 was not closed"):
        await forget()
    await server.cancelled.get()
    await client.close() if isinstance(client, AsyncAIChat) else await asyncio.to_thread(client.close)


@pytest.mark.parametrize("waits", [hang(), fail(grpc.StatusCode.UNAVAILABLE, "SERVER_UNAVAILABLE", retry_after=50)])
async def test_closing_ends_the_opening(server: ScriptedServer, client: AsyncAIChat, waits: object) -> None:
    server.on("StreamChat", waits)  # type: ignore[arg-type]
    stream = client.chat.stream(model="m", text="Hi")
    opening = asyncio.ensure_future(stream.open())
    while not server.calls:
        await asyncio.sleep(0)
    await stream.close()
    with pytest.raises(ClosedError):
        await opening


async def test_closing_ends_the_wait_before_a_resumption(server: ScriptedServer, client: AsyncAIChat) -> None:
    events = started(), text_delta("a")
    server.on("StreamChat", fail(grpc.StatusCode.UNAVAILABLE, "SERVER_UNAVAILABLE", *events, retry_after=50.0))
    stream = await client.chat.stream(model="m", text="Hi").open()
    assert [(await anext(stream)).sequence for _ in range(2)] == [1, 2]
    reading = asyncio.ensure_future(anext(stream))
    await asyncio.wait([reading], timeout=0.01)
    await stream.close()
    with pytest.raises(ClosedError):
        await reading
