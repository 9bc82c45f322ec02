"""`serve`: sends jobs to the queue when they are due, and runs those that are in it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial

import structlog
from aichat_server.app.background import running
from aichat_server.app.deadline import stop_within
from aichat_server.app.jobs import build_jobs
from aichat_server.app.telemetry import open_telemetry
from aichat_server.settings import Settings, SettingsError
from dramatiq import Worker

from aichat_workers.broker import declare_actors, open_broker
from aichat_workers.schedule import keep_schedule
from aichat_workers.watch import keep_watch

_log = structlog.get_logger()

_THREADS = 4


async def serve(settings: Settings) -> int:
    """Works until SIGTERM or SIGINT, then lets what runs finish; returns the exit code.

    SettingsError without REDIS_URL.
    """
    if settings.redis_url is None:
        raise SettingsError("REDIS_URL: missing; the jobs are queued there")
    stopping, _ = stop_within(settings.drain_seconds)
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        told_at = settings.worker_metrics_listen
        telemetry = open_telemetry(settings, "aichat-workers", told_at, "AICHAT_WORKER_METRICS_LISTEN")
        observer = stack.enter_context(telemetry)
        jobs = await stack.enter_async_context(build_jobs(settings, observer))
        broker = open_broker(str(settings.redis_url))
        declare_actors(broker, jobs, observer, loop)
        # Its threads wait for the queue; the jobs themselves run on this loop.
        worker = Worker(broker, worker_threads=_THREADS)
        worker.start()
        # Without metrics nobody would see what is watched.
        works = {"watch": partial(keep_watch, jobs)} if told_at is not None else {}
        async with running(observer, schedule=partial(keep_schedule, broker, observer), **works):
            _log.info("working", jobs=sorted(broker.actors))
            await stopping.wait()
        _log.info("stopping", seconds=settings.drain_seconds)
        await asyncio.to_thread(worker.stop, timeout=round(settings.drain_seconds * 1000))
        broker.close()
    return 0
