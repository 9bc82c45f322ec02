"""The SDK's connection to the edge breaks in every way: it detects that in 15 s, and its user sees one whole answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from aichat_sdk import AsyncAIChat, ConnectionFailedError, message_text

from tests.faults.bounds import ROOM, read_bounds
from tests.faults.edge import Edged, run_edged
from tests.faults.link import Link, Way, link_to
from tests.faults.load import MODELS, marked
from tests.faults.rig import Rig
from tests.fixtures.server import ApiKey

BOUND = read_bounds()["caller ↔ edge", "silent"]
MODEL = MODELS[1]
TEXT = marked(words=60, interval_ms=100)
Break = Callable[[Link], Awaitable[None] | None]


@pytest.fixture(scope="module")
async def edged(_rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Edged, None]:
    await _rig.up()
    async with run_edged(_rig, tmp_path_factory.mktemp("callers"), servers=1) as edged:
        yield edged


@asynccontextmanager
async def client_of(edged: Edged, key: ApiKey) -> AsyncGenerator[tuple[AsyncAIChat, Link], None]:
    """A client with a user's defaults, and its own link to the edge."""
    async with (
        link_to(f"//{edged.edge.address}") as link,
        AsyncAIChat(endpoint=link.address, api_key=key.api_key) as client,
    ):
        yield client, link


async def reads(edged: Edged, key: ApiKey) -> None:
    """A read is retried over a new connection."""
    async with client_of(edged, key) as (client, link):
        await client.models.list()
        link.silence_open()
        since = time.monotonic()
        assert await client.models.list()
        assert time.monotonic() - since < BOUND.within * ROOM
        assert link.accepted == 2


async def resumes(edged: Edged, key: ApiKey, break_it: Break) -> None:
    """A stream resumes after its last event."""
    async with client_of(edged, key) as (client, link):
        since, sequences = time.monotonic(), []
        async with client.chat.stream(model=MODEL, text=TEXT) as stream:
            async for event in stream:
                if event.heartbeat is None:
                    sequences.append(event.sequence)
                if len(sequences) == 5:
                    since = time.monotonic()
                    if (done := break_it(link)) is not None:
                        await done
                if len(sequences) == 6:
                    assert time.monotonic() - since < BOUND.within * ROOM
            message = await stream.get_final_message()
        assert sequences == list(range(1, len(sequences) + 1))
        assert len(message_text(message).split()) == 60
        assert link.accepted == 2


async def sends_again(edged: Edged, key: ApiKey) -> None:
    """A message whose reply is lost is sent again, and answered once."""
    async with client_of(edged, key) as (client, link):
        await client.models.list()
        request_id = str(uuid4())
        lost = link.lose_reply_to(request_id.encode())
        message = await client.chat.send(model=MODEL, text=TEXT, request_id=request_id)
        assert lost.is_set()
        stored = [one async for one in client.conversations.list_messages(message.conversation_id)]
        assert [one.message_id for one in stored][1:] == [message.message_id]


async def reset(link: Link) -> None:
    link.cut()


async def ended(link: Link) -> None:
    link.cut(reset=False)


async def away(link: Link) -> None:
    await link.remove()
    await link.restore()


@pytest.mark.parametrize("break_it", [reset, ended, away])
async def test_a_stream_resumes_over_a_new_connection(edged: Edged, key: ApiKey, break_it: Break) -> None:
    async with asyncio.timeout(90):
        await resumes(edged, key, break_it)


async def test_silence_is_detected_and_another_connection_used(edged: Edged, key: ApiKey) -> None:
    async with asyncio.timeout(90), asyncio.TaskGroup() as group:
        group.create_task(reads(edged, key))
        group.create_task(resumes(edged, key, Link.silence_open))
        group.create_task(sends_again(edged, key))


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "ended"])
async def test_connections_that_break_at_any_byte_give_one_complete_answer(
    edged: Edged, key: ApiKey, reset: bool
) -> None:
    async with asyncio.timeout(120), client_of(edged, key) as (client, link):
        link.cut_each_within(8_000, reset=reset)
        sequences = []
        for _ in range(3):
            try:
                async with client.chat.stream(model=MODEL, text=TEXT) as stream:
                    sequences = [event.sequence async for event in stream if event.heartbeat is None]
                break
            except ConnectionFailedError:
                link.heal()
        assert sequences == list(range(1, len(sequences) + 1))
        assert sequences


async def test_the_caller_gets_an_error_when_nothing_is_reachable(edged: Edged, key: ApiKey) -> None:
    async with asyncio.timeout(150), client_of(edged, key) as (client, link):
        await client.models.list()
        await link.remove()
        with pytest.raises(ConnectionFailedError):
            await client.models.list()
        await link.restore()
        assert await client.models.list()
        link.silence(Way.DOWN)
        since = time.monotonic()
        with pytest.raises(ConnectionFailedError):
            await client.models.list()
        # The time to detect it, and twice the longest time to connect, for two more tries.
        assert time.monotonic() - since < (BOUND.within + 2 * 10) * ROOM
        link.heal()
        assert await client.models.list()


async def test_a_slow_connection_is_not_a_dead_one(edged: Edged, key: ApiKey) -> None:
    async with asyncio.timeout(120), client_of(edged, key) as (client, link):
        link.slow_down(bytes_per_second=8_192)
        message = await client.chat.send(model=MODEL, text=TEXT)
        assert len(message_text(message).split()) == 60
        assert link.accepted == 1
