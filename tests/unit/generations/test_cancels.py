"""Cancellations are received again without intervention, however the subscription was lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from aichat_server.app.background import running
from aichat_server.core.redis.client import open_redis
from aichat_server.generations.domain.generation import GenerationKey
from aichat_server.generations.gateway.cancels import Cancels
from aichat_server.telemetry.observing import Observer

from tests.faults.link import Link, Way, link_to
from tests.fixtures.redis import RedisUnderTest
from tests.integration.conversations.asking import eventually

# Callers repeat a cancellation for that long.
HEARD_SECONDS = 10.0


@dataclass(frozen=True)
class Listening:
    """A process that listens for cancellations, and the link that it uses."""

    redis: RedisUnderTest
    link: Link
    client: Any
    heard: set[GenerationKey]

    async def hears(self) -> None:
        """Sends cancellations without the link until the process receives one."""
        key = GenerationKey(uuid4(), uuid4())
        async with open_redis(self.redis.url) as client:
            asker = Cancels(client)

            async def ask() -> bool:
                await asker.ask(key)
                return key in self.heard

            await eventually(ask, bool)


@asynccontextmanager
async def listening(redis: RedisUnderTest) -> AsyncGenerator[Listening, None]:
    async with link_to(redis.url) as link, open_redis(link.through(redis.url)) as client:
        heard: set[GenerationKey] = set()
        cancels = Cancels(client)
        async with running(Observer(), cancels=lambda: cancels.listen(heard.add)):
            on = Listening(redis, link, client, heard)
            await on.hears()
            yield on


async def _goes_silent(on: Listening) -> None:
    on.link.silence_open()


async def _is_not_heard(on: Listening) -> None:
    on.link.silence(Way.UP)
    await _until_reconnected(on)
    on.link.heal()


async def _hears_nothing(on: Listening) -> None:
    on.link.silence(Way.DOWN)
    await _until_reconnected(on)
    on.link.heal()


async def _is_reset(on: Listening) -> None:
    on.link.cut()


async def _ends(on: Listening) -> None:
    on.link.cut(reset=False)


async def _loses_its_subscription(on: Listening) -> None:
    """Without an error: the connection still works."""
    [connection] = on.client.connection_pool._in_use_connections
    await connection.send_command("UNSUBSCRIBE", "aichat:cancel")
    await eventually(lambda: on.redis.client.pubsub_numsub("aichat:cancel"), lambda found: found[0][1] == 0)


async def _until_reconnected(on: Listening) -> None:
    accepted = on.link.accepted

    async def more() -> bool:
        return on.link.accepted > accepted

    await eventually(more, bool)


@pytest.mark.parametrize(
    "fault",
    [_goes_silent, _is_not_heard, _hears_nothing, _is_reset, _ends, _loses_its_subscription],
    ids=lambda fault: fault.__name__,
)
async def test_p05_they_are_received_again(
    redis: RedisUnderTest, fault: Callable[[Listening], Awaitable[None]]
) -> None:
    async with listening(redis) as on:
        await fault(on)
        async with asyncio.timeout(2 * HEARD_SECONDS):
            await on.hears()
