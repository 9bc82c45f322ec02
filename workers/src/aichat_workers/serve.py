"""`serve`: sends jobs to the queue when they are due, and runs queued jobs."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import partial
from threading import Thread
from typing import NoReturn

import structlog
from aichat_server.app.background import running
from aichat_server.app.deadline import stop_within
from aichat_server.app.jobs import build_jobs
from aichat_server.app.telemetry import open_telemetry
from aichat_server.core.clock import Clock
from aichat_server.settings import Settings, SettingsError
from dramatiq import Worker

from aichat_workers.broker import declare_actors, open_broker
from aichat_workers.schedule import keep_schedule
from aichat_workers.watch import keep_watch

_log = structlog.get_logger()

_THREADS = 4
_LOOK_SECONDS = 1.0
# The time to leave the queue after running jobs have drained.
_LAST_SECONDS = 2.0


async def serve(settings: Settings) -> int:
    """Works until SIGTERM or SIGINT, then lets running jobs finish; returns the exit code.

    Raises SettingsError without REDIS_URL.
    """
    if settings.redis_url is None:
        raise SettingsError("REDIS_URL: missing; the jobs are queued there")
    stopping, _ = stop_within(settings.drain_seconds)
    loop = asyncio.get_running_loop()
    async with AsyncExitStack() as stack:
        metrics_listen = settings.worker_metrics_listen
        telemetry = open_telemetry(settings, "aichat-workers", metrics_listen, "AICHAT_WORKER_METRICS_LISTEN")
        observer = stack.enter_context(telemetry)
        jobs = await stack.enter_async_context(build_jobs(settings, observer))
        broker = open_broker(str(settings.redis_url))
        declare_actors(broker, jobs, observer, loop)
        # The worker's threads wait for the queue; the jobs themselves run on this loop.
        worker = Worker(broker, worker_threads=_THREADS)
        worker.start()
        # Without metrics nobody would see the results.
        works = {"watch": partial(keep_watch, jobs)} if metrics_listen is not None else {}
        works |= {
            "jobs": partial(_take_jobs, worker, jobs.clock),
            "schedule": partial(keep_schedule, broker, jobs.clock, observer),
        }
        async with running(observer, **works):
            _log.info("working", jobs=sorted(broker.actors))
            await stopping.wait()
        _log.info("stopping", seconds=settings.drain_seconds)
        await _stop(worker, settings.drain_seconds)
        broker.close()
    return 0


async def _take_jobs(worker: Worker, clock: Clock) -> NoReturn:
    """Pauses the worker while this machine's clock is wrong, since jobs refuse to run; other workers take them."""
    while True:
        for consumer in worker.consumers.values():
            consumer.pause() if clock.is_wrong else consumer.resume()
        await asyncio.sleep(_LOOK_SECONDS)


async def _stop(worker: Worker, seconds: float) -> None:
    """Lets running jobs finish within `seconds`; does not wait for an unreachable Redis."""

    def stop() -> None:
        try:
            worker.stop(timeout=round(seconds * 1000))
        except Exception as error:  # noqa: BLE001 — the process must end in order, whatever fails
            _log.warning("jobs that did not begin were not returned to the queue", cause=str(error) or repr(error))

    # The process does not wait for a daemon thread.
    stopping = Thread(target=stop, daemon=True)
    stopping.start()
    await asyncio.to_thread(stopping.join, seconds + _LAST_SECONDS)
    if stopping.is_alive():
        _log.warning("the worker did not leave the queue in time")
