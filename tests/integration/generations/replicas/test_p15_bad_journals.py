"""Promise 15: one answer whose events cannot be copied, or read, does not affect the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

from aichat_server.app.background import running
from aichat_server.core.redis.client import open_redis
from aichat_server.generations.domain.generation import GenerationKey
from aichat_server.generations.domain.stream import BEGINNING
from aichat_server.generations.gateway.cancels import Cancels
from aichat_server.generations.gateway.journal import JournalStreams
from aichat_server.generations.service.journal import Journal
from aichat_server.generations.service.publisher import JournalPublisher
from aichat_server.providers.domain.events import TextDelta
from aichat_server.telemetry.observing import Observer

from tests.fixtures.redis import RedisUnderTest
from tests.integration.conversations.asking import eventually

HALF_A_CHARACTER = "\ud83d"


@dataclass(frozen=True)
class Copying:
    """A publisher at work."""

    publisher: JournalPublisher
    streams: JournalStreams
    redis: RedisUnderTest

    def begin(self, text: str) -> tuple[GenerationKey, Journal]:
        """Begins a journal with one event to copy."""
        key, journal = GenerationKey(uuid4(), uuid4()), Journal(heartbeat_seconds=60)
        self.publisher.publish(key, journal)
        journal.append(TextDelta(text))
        return key, journal

    async def copied(self, key: GenerationKey, text: str) -> None:
        """Waits until the copy has this text."""

        async def look() -> str:
            portions = (await self.streams.read({key: BEGINNING}, 0.1)).get(key, [])
            events = [event for portion in portions for event in portion.events]
            return "".join(event.text for event in events if isinstance(event, TextDelta))

        await eventually(look, lambda found: found == text)


@asynccontextmanager
async def copying(redis: RedisUnderTest) -> AsyncGenerator[Copying, None]:
    async with open_redis(redis.url) as client:
        streams = JournalStreams(client, retention_seconds=60, rescue_seconds=60)
        publisher = JournalPublisher(streams)
        async with running(Observer(), publisher=publisher.run):
            yield Copying(publisher, streams, redis)


async def test_events_that_cannot_be_written_hold_up_no_other(redis: RedisUnderTest) -> None:
    async with copying(redis) as on:
        good, journal = on.begin("a")
        on.begin(HALF_A_CHARACTER)
        journal.append(TextDelta("b"))
        await on.copied(good, "ab")
        later, _ = on.begin("c")
        await on.copied(later, "c")


async def test_a_stream_that_redis_does_not_take_holds_up_no_other(redis: RedisUnderTest) -> None:
    async with copying(redis) as on:
        bad = GenerationKey(uuid4(), uuid4())
        await redis.client.set(f"aichat:journal:{{{bad.org_id}}}:{bad.generation_id}", "no stream")
        refused = Journal(heartbeat_seconds=60)
        on.publisher.publish(bad, refused)
        refused.append(TextDelta("x"))
        for text in "abc":
            good, journal = on.begin(text)
            refused.append(TextDelta("y"))
            journal.append(TextDelta(text))
            await on.copied(good, 2 * text)


async def test_a_message_that_names_no_generation_ends_no_listening(redis: RedisUnderTest) -> None:
    heard: asyncio.Queue[GenerationKey] = asyncio.Queue()
    async with open_redis(redis.url) as client:
        cancels = Cancels(client)
        async with running(Observer(), cancels=lambda: cancels.listen(heard.put_nowait)):
            await eventually(lambda: redis.client.pubsub_numsub("aichat:cancel"), lambda found: found[0][1] > 0)
            await redis.client.publish("aichat:cancel", b"nonsense")
            key = GenerationKey(uuid4(), uuid4())
            await cancels.ask(key)
            async with asyncio.timeout(20):
                while await heard.get() != key:
                    continue
