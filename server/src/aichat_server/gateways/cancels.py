"""Tells every replica that a generation is to be cancelled: Redis publish and subscribe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import NoReturn
from uuid import UUID

import structlog
from redis.asyncio.client import PubSub

from aichat_server.domain.stream import GenerationKey
from aichat_server.gateways.redis import AnyRedis, RedisUnavailableError, redis_errors

_log = structlog.get_logger()

_CHANNEL = "aichat:cancel"
_RECONNECT_SECONDS = 0.5
# A connection that says nothing for so long is asked whether it is still there.
_PING_SECONDS = 5.0
_UUID_BYTES = 16


class Cancels:
    """Asks for cancellations, and hears of them."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def ask(self, key: GenerationKey) -> None:
        """Tells all replicas that listen now; RedisUnavailableError if they cannot be told."""
        with redis_errors():
            await self._redis.publish(_CHANNEL, key.org_id.bytes + key.generation_id.bytes)

    async def listen(self, cancel: Callable[[GenerationKey], object]) -> NoReturn:
        """Calls `cancel` for each generation that any replica asks for. While Redis is away nothing is heard."""
        while True:
            try:
                with redis_errors():
                    async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
                        await subscription.subscribe(_CHANNEL)
                        await _hear(subscription, cancel)
            except RedisUnavailableError as error:
                _log.warning("cannot listen for cancellations", cause=repr(error.__cause__))
                await asyncio.sleep(_RECONNECT_SECONDS)


async def _hear(subscription: PubSub, cancel: Callable[[GenerationKey], object]) -> NoReturn:
    while True:
        message = await subscription.get_message(timeout=_PING_SECONDS)
        if message is None:
            await subscription.ping()
        elif message["type"] == "message":
            data: bytes = message["data"]
            if len(data) == 2 * _UUID_BYTES:
                cancel(GenerationKey(UUID(bytes=data[:_UUID_BYTES]), UUID(bytes=data[_UUID_BYTES:])))
            else:
                _log.warning("what was to be cancelled cannot be read", size=len(data))
