"""Builds a server's generations: everything that starts, writes and reads them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aichat_server.app.background import running
from aichat_server.app.journals import build_streams
from aichat_server.app.redis import redis_named
from aichat_server.app.stores import Stores
from aichat_server.core.redis.client import AnyRedis, open_redis
from aichat_server.generations.gateway.cancels import Cancels
from aichat_server.generations.gateway.spare_leases import SpareLeases
from aichat_server.generations.service.answers import Answers, Replicas
from aichat_server.generations.service.generations import Generations
from aichat_server.generations.service.launcher import Launcher
from aichat_server.generations.service.leases import RENEWALS_PER_LEASE, Leases
from aichat_server.generations.service.mirrors import Mirrors
from aichat_server.generations.service.publisher import JournalPublisher
from aichat_server.generations.storage.generations import GenerationStore
from aichat_server.limits.service import RateLimits
from aichat_server.providers.service.upstream import Upstream
from aichat_server.settings import Settings
from aichat_server.telemetry.observing import Observer


@dataclass(frozen=True, slots=True)
class Running:
    """Starts generations, and reads and cancels their answers."""

    launcher: Launcher
    answers: Answers
    generations: Generations
    replicas: Replicas | None
    """None without REDIS_URL."""
    redis: AnyRedis | None
    """The connection to the other replicas; None without REDIS_URL."""


@asynccontextmanager
async def open_generations(
    settings: Settings,
    stores: Stores,
    upstream: Upstream,
    limits: RateLimits,
    observer: Observer,
) -> AsyncGenerator[Running, None]:
    """Renews the leases of running generations, and connects them to the other replicas."""
    async with AsyncExitStack() as stack:
        redis = await _open_redis(settings, stack)
        publisher, replicas = await stack.enter_async_context(
            _open_replicas(settings, redis, stores.generations, observer)
        )
        generations = Generations(publisher, observer, heartbeat_seconds=settings.heartbeat_seconds)
        leases = _build_leases(settings, stores.generations, generations, replicas)
        cancels = {"cancels": partial(replicas.cancels.listen, generations.cancel)} if replicas is not None else {}
        always = running(
            observer, leases=leases.run, abandoned=generations.abandoned.run, warm=upstream.keep_warm, **cancels
        )
        await stack.enter_async_context(always)
        answers = Answers(stores.generations, stores.sinks, generations, replicas)
        launcher = Launcher(upstream, limits, generations, answers, observer, merges=settings.coalesce_seconds > 0)
        yield Running(launcher, answers, generations, replicas, redis)


async def _open_redis(settings: Settings, stack: AsyncExitStack) -> AnyRedis | None:
    if settings.redis_url is None:
        return None
    with redis_named():
        return await stack.enter_async_context(open_redis(str(settings.redis_url)))


@asynccontextmanager
async def _open_replicas(
    settings: Settings, redis: AnyRedis | None, store: GenerationStore, observer: Observer
) -> AsyncGenerator[tuple[JournalPublisher, Replicas] | tuple[None, None], None]:
    """Opens what connects the replicas; nothing without Redis."""
    if redis is None:
        yield None, None
        return
    streams = build_streams(settings, redis)
    publisher = JournalPublisher(streams)
    mirrors = Mirrors(streams, store, heartbeat_seconds=settings.heartbeat_seconds)
    async with running(observer, publisher=publisher.run, mirrors=mirrors.run):
        yield publisher, Replicas(mirrors, Cancels(redis), streams, SpareLeases(redis))
    await publisher.finish()


def _build_leases(
    settings: Settings, store: GenerationStore, generations: Generations, replicas: Replicas | None
) -> Leases:
    # The hold of an answer's cost lasts no longer than this, either.
    interval, most = settings.lease_seconds / RENEWALS_PER_LEASE, settings.hold_seconds
    spare = replicas.spare if replicas is not None else None
    return Leases(store, generations, spare, interval_seconds=interval, spare_seconds=most)
