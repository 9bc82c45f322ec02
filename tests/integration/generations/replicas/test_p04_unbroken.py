"""Promise 4: the SDK's user sees one stream, whatever happens to the connection and to replicas that only read."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aichat_sdk import AnswerCancelledError, AnswerStream, AsyncAIChat, message_text, types

from tests.fixtures.redis import RedisUnderTest
from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import MODEL, script, times_asked
from tests.integration.generations.replicas.conftest import HEARTBEAT_SECONDS

WORDS = [f"word{number} " for number in range(60)]


class Way:
    """A TCP proxy to one server at a time, whose connections can be cut."""

    def __init__(self) -> None:
        self.address = ""
        self._target = ""
        self._writers: set[asyncio.StreamWriter] = set()

    def lead_to(self, server: ServerUnderTest) -> None:
        """Cuts all connections; new ones lead to this server."""
        self._target = server.addresses[0]
        for writer in list(self._writers):
            writer.transport.abort()

    @classmethod
    @asynccontextmanager
    async def to(cls, server: ServerUnderTest) -> AsyncGenerator[Way, None]:
        """Runs a proxy to this server."""
        way = cls()
        way.lead_to(server)
        listening = await asyncio.start_server(way._join, "127.0.0.1", 0)
        host, port = listening.sockets[0].getsockname()
        way.address = f"{host}:{port}"
        async with listening:
            yield way
            way.lead_to(server)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self._target.partition(":")
        try:
            far_reader, far_writer = await asyncio.open_connection(host, int(port))
        except OSError:
            writer.transport.abort()
            return
        await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        except OSError:
            """The connection was cut."""
        finally:
            self._writers.discard(writer)
            writer.close()


@asynccontextmanager
async def calling(server: ServerUnderTest, key: ApiKey) -> AsyncGenerator[tuple[AsyncAIChat, Way], None]:
    """A client, and its proxy, which first leads to this server."""
    async with Way.to(server) as way, AsyncAIChat(endpoint=way.address, api_key=key.api_key) as client:
        yield client, way


async def read_until(stream: AnswerStream, word: str) -> list[types.ChatEvent]:
    """Returns the events up to the one with this word."""
    seen = []
    async for event in stream:
        seen.append(event)
        if event.text_delta is not None and word in event.text_delta.text:
            return seen
    raise AssertionError(f"there was no {word}")


async def test_when_the_connection_is_cut_and_when_the_replica_that_only_reads_is_killed(
    run_server: RunServer,
    writer: ServerUnderTest,
    reader: ServerUnderTest,
    redis: RedisUnderTest,
    api_key: ApiKey,
    vendors: Vendors,
) -> None:
    text = script(deltas=WORDS, interval_ms=80) + str(uuid4())
    async with run_server(REDIS_URL=redis.url) as mortal, calling(writer, api_key) as (client, way):
        async with client.chat.stream(model=MODEL, text=text) as stream:
            seen = await read_until(stream, "word5 ")
            way.lead_to(mortal)
            seen += await read_until(stream, "word25 ")
            mortal.process.kill()
            way.lead_to(reader)
            seen += [event async for event in stream]
        answer = await stream.get_final_message()
        async with client.chat.resume(stream.generation_id) as again:
            whole = [event async for event in again if event.heartbeat is None]
    events = [event for event in seen if event.heartbeat is None]
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert events == whole
    assert message_text(answer) == "".join(WORDS)
    assert "".join(event.text_delta.text for event in events if event.text_delta) == "".join(WORDS)
    assert times_asked(vendors, text) == 1


async def test_when_the_replica_that_only_reads_drains(
    run_server: RunServer, writer: ServerUnderTest, reader: ServerUnderTest, redis: RedisUnderTest, api_key: ApiKey
) -> None:
    text = script(deltas=WORDS[:30], interval_ms=80)
    async with (
        run_server(REDIS_URL=redis.url) as leaving,
        calling(writer, api_key) as (client, way),
        client.chat.stream(model=MODEL, text=text) as stream,
    ):
        seen = await read_until(stream, "word3 ")
        way.lead_to(leaving)
        seen += await read_until(stream, "word8 ")
        leaving.terminate()
        # It does not wait for an answer that another replica writes.
        async with asyncio.timeout(10):
            await leaving.process.wait()
        way.lead_to(reader)
        seen += [event async for event in stream]
    numbers = [event.sequence for event in seen if event.heartbeat is None]
    assert numbers == list(range(1, len(numbers) + 1))


async def test_an_answer_that_was_cancelled_in_the_meantime_is_reported(
    writer: ServerUnderTest, reader: ServerUnderTest, api_key: ApiKey
) -> None:
    text = script(deltas=WORDS[:3], hang_after=2, interval_ms=HEARTBEAT_SECONDS)
    async with calling(writer, api_key) as (client, way), client.chat.stream(model=MODEL, text=text) as stream:
        await read_until(stream, "word1 ")
        way.lead_to(reader)
        assert await client.chat.cancel(stream.generation_id) is types.GenerationState.CANCELLED
        with pytest.raises(AnswerCancelledError):
            await stream.get_final_message()
