"""Promise 15: the queue's Redis goes silent, breaks and restarts; workers continue by themselves, and can stop."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
from aichat_server.app.background import running
from aichat_server.core.clock import Clock
from aichat_server.jobs.domain.jobs import QUEUE
from aichat_server.jobs.gateway import queue_depth
from aichat_server.telemetry.observing import Observer
from aichat_workers.broker import declare_actors, open_broker
from aichat_workers.registry import JOBS
from aichat_workers.schedule import keep_schedule
from dramatiq import Message

from tests.faults.link import Link, Way, link_to
from tests.faults.rig import Rig
from tests.fixtures.nursery import ForkedProcess, fork
from tests.fixtures.redis import RedisUnderTest
from tests.fixtures.rows import connection
from tests.integration.conversations.asking import eventually

DRAIN_SECONDS = 1.0
# Much less than the minute after which every job is sent again; workers need less than half of it.
BACK_SECONDS = 20.0
BROKEN_SECONDS = 3.0


@dataclass(frozen=True)
class Workers:
    """The workers' real command, whose link to Redis can be broken."""

    rig: Rig
    process: ForkedProcess
    link: Link
    log: Path

    async def do_a_job(self) -> None:
        """Queues a job without the link, and waits until one is done."""
        async with connection(self.rig.owner_url) as owner:
            now = await owner.fetchval("SELECT clock_timestamp()")
            await asyncio.to_thread(self._queue)

            async def done() -> bool:
                query = "SELECT succeeded_at > $1 FROM aichat.job_runs WHERE job = 'webhooks'"
                return bool(await owner.fetchval(query, now))

            await eventually(done, bool)

    def _queue(self) -> None:
        broker = open_broker(self.rig.redis.url)
        broker.declare_queue(QUEUE)
        broker.enqueue(Message(QUEUE, "webhooks", (), {}, {}))
        broker.client.close()


@asynccontextmanager
async def run_workers(rig: Rig, folder: Path) -> AsyncGenerator[Workers, None]:
    """Runs workers with production's settings, except for a short drain; they have done a job."""
    async with link_to(rig.redis.url) as link:
        urls = {"DATABASE_URL": rig.app_url, "REDIS_URL": link.through(rig.redis.url)}
        environment = {**rig.settings, **urls, "AICHAT_DRAIN_SECONDS": str(DRAIN_SECONDS)}
        process = await fork(environment, folder, "aichat_workers", "serve", errors="log", output="log")
        workers = Workers(rig, process, link, folder / "log")
        try:
            await workers.do_a_job()
            yield workers
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


async def _old_connections_go_silent(workers: Workers) -> None:
    workers.link.silence_open()


async def _is_silent(workers: Workers) -> None:
    workers.link.silence()
    await asyncio.sleep(BROKEN_SECONDS)
    workers.link.heal()


async def _answers_nothing(workers: Workers) -> None:
    workers.link.silence(Way.DOWN)
    await asyncio.sleep(BROKEN_SECONDS)
    workers.link.heal()


async def _is_reset(workers: Workers) -> None:
    for most in (0, 30, 300):
        workers.link.cut_each_within(most)
        workers.link.cut()
        await asyncio.sleep(BROKEN_SECONDS / 3)
    workers.link.heal()


async def _is_started_again(workers: Workers) -> None:
    for _ in range(3):
        await workers.rig.redis.kill()
        await workers.rig.redis.start()


FAULTS: list[Callable[[Workers], Awaitable[None]]] = [
    _old_connections_go_silent,
    _is_silent,
    _answers_nothing,
    _is_reset,
    _is_started_again,
]


async def test_jobs_run_again_and_a_shutdown_takes_no_longer(rig: Rig, tmp_path: Path) -> None:
    async with run_workers(rig, tmp_path) as workers:
        for fault in FAULTS:
            await fault(workers)
            began = time.monotonic()
            await workers.do_a_job()
            assert time.monotonic() - began < BACK_SECONDS, fault
        assert "background task" not in workers.log.read_text()
        workers.link.silence()
        began = time.monotonic()
        workers.process.send_signal(signal.SIGTERM)
        assert await workers.process.wait() == 0, workers.log.read_text()
        assert time.monotonic() - began < DRAIN_SECONDS + 2 * 5


@pytest.mark.parametrize("silent", [False, True], ids=["away", "silent"])
async def test_a_job_that_is_due_without_redis_is_sent_once_redis_is_back(
    rig: Rig, redis: RedisUnderTest, *, silent: bool
) -> None:
    clock = Clock(rig.database, Observer())
    await clock.read()
    async with link_to(redis.url) as link:
        broker = open_broker(link.through(redis.url))
        declare_actors(broker, cast("Any", None), Observer(), asyncio.get_running_loop())
        if silent:
            link.silence()
        else:
            await link.remove()
        async with running(Observer(), schedule=lambda: keep_schedule(broker, clock, Observer())):
            await asyncio.sleep(BROKEN_SECONDS)
            link.heal()
            await link.restore()
            depth = await eventually(lambda: queue_depth(redis.client), lambda depth: depth.waiting >= len(JOBS))
        broker.client.close()
    assert depth.waiting >= len(JOBS)
