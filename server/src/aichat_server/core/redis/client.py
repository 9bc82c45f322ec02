"""The border to Redis, one server or a cluster: every failure behind it becomes one error, in bounded time."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias, TypeVar

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as BrokenError
from redis.exceptions import ResponseError
from redis.exceptions import TimeoutError as SilentError

_CONNECT_SECONDS = 1.0
# A connection that does not answer for this long counts as dead. It is far more than a round trip.
_ANSWER_SECONDS = 1.0
# A command may need several answers, and first a connection.
_COMMAND_SECONDS = 3.0
# A kept connection may have closed in the meantime.
ATTEMPTS = 2
# A connection that does not close properly ends with the process.
_CLOSE_SECONDS = 0.2
_KEEPALIVE = {"TCP_KEEPIDLE": 5, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 10_000}

AnyRedis: TypeAlias = Redis | RedisCluster
Answer = TypeVar("Answer")
Command: TypeAlias = Sequence[str | bytes | int]
"""A command's name and arguments, as Redis accepts them."""


class RedisUnavailableError(Exception):
    """Redis is unreachable, too slow, or refuses the command. Nothing that matters is lost with it."""


class RedisUrlError(Exception):
    """The URL cannot be used; the message says why."""


def unavailable(cause: BaseException) -> RedisUnavailableError:
    """Returns the error with the text of `cause`, whose own `repr` may say less."""
    return RedisUnavailableError(f"{type(cause).__name__}: {cause}")


def connection_options() -> dict[str, Any]:
    """Returns options with which a client's connections detect a vanished peer within seconds, even when idle.

    They send no client information when they open, since waiting for that answer would help no command.
    """
    numbers = {getattr(socket, name): value for name, value in _KEEPALIVE.items() if hasattr(socket, name)}
    return {
        "socket_connect_timeout": _CONNECT_SECONDS,
        "socket_keepalive": True,
        "socket_keepalive_options": numbers,
        "protocol": 2,
        "driver_info": None,
    }


async def ask(
    redis: AnyRedis,
    command: Callable[[], Awaitable[Answer]],
    *,
    seconds: float | None = _COMMAND_SECONDS,
    attempts: int = ATTEMPTS,
) -> Answer:
    """Returns the result of `command`, which only calls `redis`; raises RedisUnavailableError, after `seconds` at most.

    `attempts`: more than one for a command that may run twice. After each failure, unused connections are closed, since
    they are as old, and may be as dead.
    """
    loop = asyncio.get_running_loop()
    deadline = None if seconds is None else loop.time() + seconds
    cancellations = _cancellations()
    while True:
        attempts -= 1
        cause: BaseException
        try:
            async with asyncio.timeout_at(deadline):
                return await command()
        except ResponseError as error:
            # The connection works.
            raise unavailable(error) from error
        except asyncio.CancelledError as error:
            if _cancellations():
                raise
            # A task of the client was cancelled, and not this one.
            cause = error
        except Exception as error:
            if _cancellations() > cancellations:
                raise asyncio.CancelledError from error
            cause = error
        await _throw_away(redis)
        if not attempts or (deadline is not None and loop.time() >= deadline):
            raise unavailable(cause) from cause


async def ask_all(redis: AnyRedis, commands: Sequence[Command], *, attempts: int = ATTEMPTS) -> list[Any]:
    """Returns each command's result, or its error, in one round trip; one to each node of a cluster.

    Raises RedisUnavailableError if no node answers.
    """

    async def send() -> list[Any]:
        async with redis.pipeline(transaction=False) as pipeline:
            for command in commands:
                # By name: a cluster's pipeline does not allow all methods.
                pipeline.execute_command(*command)
            answers: list[Any] = await pipeline.execute(raise_on_error=False)
        broken = [answer for answer in answers if isinstance(answer, BrokenError | SilentError)]
        if broken and len(broken) == len(answers):
            raise broken[0]
        if broken:
            await _throw_away(redis)
        return list(answers)

    return await ask(redis, send, attempts=attempts)


async def is_cluster(url: str) -> bool:
    """Whether a cluster's node answers there; False if nobody does.

    Raises RedisUrlError for a database that it lacks.
    """
    client = _client(Redis, url)
    # A cluster's node would refuse a connection with it.
    database = client.connection_pool.connection_kwargs.pop("db", None)
    try:
        found = bool((await ask(client, lambda: client.info("cluster"), attempts=1)).get("cluster_enabled"))
    except RedisUnavailableError:
        return False
    finally:
        await _close(client)
    if found and database:
        raise RedisUrlError("a Redis Cluster has the database 0 alone; leave out the number behind the address")
    return found


@asynccontextmanager
async def open_redis(url: str) -> AsyncGenerator[AnyRedis, None]:
    """Opens a client of the Redis at `url`; it connects when used, so that a server starts without Redis.

    The server that answers now decides whether it is a cluster. Raises RedisUrlError.
    """
    client: AnyRedis = _client(RedisCluster if await is_cluster(url) else Redis, url)
    try:
        yield client
    finally:
        await _close(client)


def _client(kind: type[Redis | RedisCluster], url: str) -> Any:
    """Returns a client that never retries by itself, so that delays do not multiply."""
    return kind.from_url(url, socket_timeout=_ANSWER_SECONDS, retry=Retry(NoBackoff(), 0), **connection_options())


async def _throw_away(redis: AnyRedis) -> None:
    """Closes unused connections; for a cluster, reads its current nodes."""
    with suppress(Exception):
        if not isinstance(redis, RedisCluster):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await redis.connection_pool.disconnect(inuse_connections=False)
            return
        async with asyncio.timeout(_ANSWER_SECONDS):
            await asyncio.gather(*(node.disconnect_free_connections() for node in redis.get_nodes()))
            await redis.nodes_manager.initialize()


async def _close(client: AnyRedis) -> None:
    with suppress(Exception):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await client.aclose()


def _cancellations() -> int:
    """Returns how often this task was asked to cancel."""
    task = asyncio.current_task()
    return task.cancelling() if task is not None else 0
