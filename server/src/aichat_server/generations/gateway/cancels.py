"""Tells every replica to cancel a generation, by Redis publish and subscribe."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NoReturn
from uuid import UUID

import structlog

from aichat_server.core.redis.client import AnyRedis, RedisUnavailableError, ask
from aichat_server.generations.domain.generation import GenerationKey

_log = structlog.get_logger()

_CHANNEL = "aichat:cancel"
_RECONNECT_SECONDS = 0.5
# A subscription that is silent for this long is renewed. If it stays silent as long again, it is given up.
_SILENT_SECONDS = 2.0
_UUID_BYTES = 16


class Cancels:
    """Requests cancellations, and receives the requests of others."""

    def __init__(self, redis: AnyRedis) -> None:
        self._redis = redis

    async def ask(self, key: GenerationKey) -> None:
        """Asks all replicas that listen now to cancel it. Raises RedisUnavailableError."""
        message = key.org_id.bytes + key.generation_id.bytes
        await ask(self._redis, partial(self._redis.publish, _CHANNEL, message))

    async def listen(self, cancel: Callable[[GenerationKey], object]) -> NoReturn:
        """Calls `cancel` for each generation that a replica asks for. While Redis is away, requests are lost."""
        while True:
            try:
                await ask(self._redis, partial(self._hear, cancel), seconds=None, attempts=1)
            except RedisUnavailableError as error:
                _log.warning("cannot listen for cancellations", cause=str(error))
                await asyncio.sleep(_RECONNECT_SECONDS)

    async def _hear(self, cancel: Callable[[GenerationKey], object]) -> NoReturn:
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(_CHANNEL)
            confirmed = False
            while True:
                message = await subscription.get_message(timeout=_SILENT_SECONDS)
                if message is not None:
                    confirmed = True
                    _take(message, cancel)
                elif confirmed:
                    # Redis confirms it: then Redis is there, and so is the subscription.
                    confirmed = False
                    await subscription.subscribe(_CHANNEL)
                else:
                    raise TimeoutError("the subscription is not confirmed")


def _take(message: Mapping[str, Any], cancel: Callable[[GenerationKey], object]) -> None:
    if message["type"] != "message":
        return
    data: bytes = message["data"]
    if len(data) == 2 * _UUID_BYTES:
        cancel(GenerationKey(UUID(bytes=data[:_UUID_BYTES]), UUID(bytes=data[_UUID_BYTES:])))
    else:
        _log.warning("a request to cancel cannot be read", size=len(data))
