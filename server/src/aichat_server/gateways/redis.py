"""The connection to Redis, and what it fails with."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

_CONNECT_SECONDS = 1.0
_ANSWER_SECONDS = 2.0


class RedisUnavailableError(Exception):
    """Redis is away, too slow, or does not do what it is asked for. Nothing that matters is lost with it."""


REDIS_ERRORS = (RedisError, OSError, RuntimeError)
"""All that Redis, or the way to it, fails with: an event loop says RuntimeError of connections that are just closed."""


@contextmanager
def redis_errors() -> Iterator[None]:
    """Turns whatever Redis or the way to it fails with into RedisUnavailableError."""
    try:
        yield
    except REDIS_ERRORS as error:
        raise RedisUnavailableError(str(error)) from error


@asynccontextmanager
async def open_redis(url: str) -> AsyncGenerator[Redis, None]:
    """A client of the Redis at `url`; it connects when it is used, so that a server starts without Redis."""
    client = Redis.from_url(
        url,
        socket_connect_timeout=_CONNECT_SECONDS,
        socket_timeout=_ANSWER_SECONDS,
        # Once, since a connection that was kept may have been closed meanwhile.
        retry=Retry(NoBackoff(), 1),
    )
    try:
        yield client
    finally:
        # A connection that does not close properly ends with the process.
        with suppress(*REDIS_ERRORS):
            await client.aclose()
