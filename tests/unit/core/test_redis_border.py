"""Every failure behind the border to Redis becomes RedisUnavailableError in bounded time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any, NoReturn

import pytest
from aichat_server.core.redis.client import RedisUnavailableError, ask, open_redis
from aichat_server.jobs.gateway import queue_depth
from redis.asyncio import Redis
from redis.exceptions import RedisClusterException, ResponseError

from tests.fixtures.redis import RedisUnderTest

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def peer(serve: Serve) -> AsyncGenerator[str, None]:
    """Yields the URL of a server that is not a Redis."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            await serve(reader, writer)
        writer.transport.abort()

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}"


def says(*answers: bytes) -> Serve:
    """Sends these answers to its input, and closes the connection."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            await reader.read(65_536)
            writer.write(answer)
            await writer.drain()

    return serve


async def _is_silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    while await reader.read(65_536):
        continue


ANSWERS = {
    "nothing": says(b""),
    "a part": says(b"$5\r\nab"),
    "no length": says(b"$x\r\n"),
    "no Redis": says(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "no UTF-8": says(b"-\xff\xfe\r\n"),
    "an error": says(b"-LOADING Redis is loading the dataset in memory\r\n"),
    "a wrong length": says(b"*-7\r\n"),
    "silence": _is_silent,
}


@pytest.mark.parametrize("answer", ANSWERS)
async def test_a_peer_that_is_not_a_redis_counts_as_unreachable(answer: str) -> None:
    async with peer(ANSWERS[answer]) as url, open_redis(url) as client, asyncio.timeout(30):
        with pytest.raises(RedisUnavailableError):
            await ask(client, partial(client.publish, "channel", "message"))
        with pytest.raises(RedisUnavailableError):
            await queue_depth(client)


@pytest.mark.parametrize(
    "fault",
    [
        RuntimeError("the handler is closed"),
        AttributeError("'NoneType' object has no attribute 'drain'"),
        TypeError(),
        IndexError(),
        asyncio.IncompleteReadError(b"", 2),
        asyncio.CancelledError(),
        TimeoutError(),
        RedisClusterException(),
    ],
    ids=repr,
)
async def test_every_failure_is_retried_once(fault: BaseException) -> None:
    tried = 0

    async def fails() -> NoReturn:
        nonlocal tried
        tried += 1
        raise fault

    async def fails_once() -> str:
        if tried % 2 == 0:
            await fails()
        return "done"

    async with open_redis("redis://127.0.0.1:1") as client:
        with pytest.raises(RedisUnavailableError):
            await ask(client, fails)
        assert tried == 2
        assert await ask(client, fails_once) == "done"
        with pytest.raises(RedisUnavailableError):
            await ask(client, fails, attempts=1)
        assert tried == 4


async def test_an_error_reply_of_redis_is_raised_at_once() -> None:
    tried = 0

    async def refused() -> NoReturn:
        nonlocal tried
        tried += 1
        raise ResponseError("NOPERM")

    async with open_redis("redis://127.0.0.1:1") as client:
        with pytest.raises(RedisUnavailableError, match="NOPERM"):
            await ask(client, refused)
    assert tried == 1


@pytest.mark.parametrize("into", [None, RuntimeError("the handler is closed")], ids=repr)
async def test_a_cancellation_stays_one(into: Exception | None) -> None:
    begun = asyncio.Event()

    async def is_cancelled() -> None:
        begun.set()
        try:
            await asyncio.Future[None]()
        except asyncio.CancelledError:
            if into is None:
                raise
            raise into from None

    async with open_redis("redis://127.0.0.1:1") as client:
        task = asyncio.create_task(ask(client, is_cancelled, seconds=None))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_connections_that_are_as_old_are_thrown_away(redis: RedisUnderTest) -> None:
    async with open_redis(redis.url) as client:
        assert isinstance(client, Redis)

        async def ids() -> set[int]:
            return set(await asyncio.gather(*(client.client_id() for _ in range(5))))

        first = await ids()
        assert len(first) == 5
        assert await ids() == first

        async def fails() -> NoReturn:
            raise ConnectionResetError

        with pytest.raises(RedisUnavailableError):
            await ask(client, fails)
        assert not first & await ids()


async def test_the_kernel_watches_connections(redis: RedisUnderTest) -> None:
    async with open_redis(redis.url) as client:
        assert isinstance(client, Redis)
        connection: Any = await client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        ours = connection._writer.get_extra_info("socket")
        assert ours.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        idle, interval = (ours.getsockopt(socket.SOL_TCP, name) for name in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL))
        assert idle + interval < 15
        assert ours.getsockopt(socket.SOL_TCP, socket.TCP_USER_TIMEOUT) == 10_000
        await client.connection_pool.release(connection)
