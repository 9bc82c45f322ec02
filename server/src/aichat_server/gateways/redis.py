"""The connection to Redis, one server or a cluster, and what it fails with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TypeAlias

from redis.asyncio import Redis, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException, RedisError

_CONNECT_SECONDS = 1.0
_ANSWER_SECONDS = 2.0

AnyRedis: TypeAlias = Redis | RedisCluster


class RedisUnavailableError(Exception):
    """Redis is away, too slow, or does not do what it is asked for. Nothing that matters is lost with it."""


class RedisUrlError(Exception):
    """The URL names what cannot be used; the message says why."""


REDIS_ERRORS = (RedisError, RedisClusterException, OSError, RuntimeError)
"""All that Redis, or the way to it, fails with: an event loop says RuntimeError of connections that are just closed."""


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turns whatever Redis or the way to it fails with into RedisUnavailableError."""
    try:
        yield
    except REDIS_ERRORS as error:
        raise RedisUnavailableError(str(error)) from error


async def is_cluster(url: str) -> bool:
    """Whether a cluster's node answers there; False if nobody does. RedisUrlError for a database that it has not."""
    client = Redis.from_url(
        url, socket_connect_timeout=_CONNECT_SECONDS, socket_timeout=_ANSWER_SECONDS, retry=Retry(NoBackoff(), 0)
    )
    # A cluster's node would refuse the connection for it.
    database = client.connection_pool.connection_kwargs.pop("db", None)
    try:
        found = bool((await client.info("cluster")).get("cluster_enabled"))
    except REDIS_ERRORS:
        return False
    finally:
        await _close(client)
    if found and database:
        raise RedisUrlError("a Redis Cluster has the database 0 alone; leave out the number behind the address")
    return found


@asynccontextmanager
async def open_redis(
    url: str, *, answer_seconds: float | None = _ANSWER_SECONDS, retries: int = 1
) -> AsyncGenerator[AnyRedis, None]:
    """A client of the Redis at `url`; it connects when it is used, so that a server starts without Redis.

    What answers there now says whether it is a cluster: RedisUrlError. `retries`: one, since a connection that was kept
    may have been closed meanwhile.
    """
    kind = RedisCluster if await is_cluster(url) else Redis
    client: AnyRedis = kind.from_url(
        url,
        socket_connect_timeout=_CONNECT_SECONDS,
        socket_timeout=answer_seconds,
        retry=Retry(NoBackoff(), retries),
    )
    try:
        yield client
    finally:
        await _close(client)


async def _close(client: AnyRedis) -> None:
    # A connection that does not close properly ends with the process.
    with suppress(*REDIS_ERRORS):
        await client.aclose()
