"""One client with more than one event loop, as notebooks and scripts have them."""

from __future__ import annotations

import asyncio

import pytest
from aichat.v1 import chat_pb2
from aichat_sdk import AsyncAIChat, ClosedError

from tests.unit.sdk.scripted import API_KEY, ScriptedServer, answer, reply

MODELS = reply(chat_pb2.ListModelsResponse())


async def test_a_client_goes_on_in_the_event_loop_that_follows(server: ScriptedServer) -> None:
    server.on("ListModels", MODELS, MODELS)
    client = AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY)

    def script() -> None:
        for _ in range(2):
            asyncio.run(client.models.list())
        asyncio.run(client.close())
        with pytest.raises(ClosedError, match="the client is closed"):
            asyncio.run(client.models.list())

    await asyncio.to_thread(script)
    assert len(server.calls) == 2


async def test_a_second_event_loop_beside_the_first_gets_an_error(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("ListModels", MODELS, MODELS)
    await client.models.list()

    def script() -> None:
        for call in (client.models.list, client.close):
            with pytest.raises(ClosedError, match="a client for each event loop"):
                asyncio.run(call())

    await asyncio.to_thread(script)
    await client.models.list()


async def test_a_stream_is_read_where_it_was_begun(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("StreamChat", answer("Hi"))
    async with client.chat.stream(model="m", text="Hi") as stream:
        await anext(stream)
        with pytest.raises(ClosedError, match="another event loop") as caught:
            await asyncio.to_thread(lambda: asyncio.run(stream.get_final_text()))
    assert caught.value.generation_id == stream.generation_id
