"""Builds what makes embeddings."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

from aichat_server.app.engine import Engine
from aichat_server.app.redis import redis_named
from aichat_server.core.redis.client import open_redis
from aichat_server.embeddings.gateway.kept_vectors import KeptVectors
from aichat_server.embeddings.service.embeddings import Embeddings
from aichat_server.generations.service.keep_nothing import KeepNothing
from aichat_server.providers.service.embedding import EmbeddingUpstream
from aichat_server.settings import Settings
from aichat_server.telemetry.observing import Observer


@asynccontextmanager
async def open_embeddings(settings: Settings, engine: Engine, observer: Observer) -> AsyncGenerator[Embeddings, None]:
    """Opens the use case; without REDIS_URL it keeps no vectors for repeated calls."""
    async with AsyncExitStack() as stack:
        kept = None
        if settings.redis_url is not None:
            with redis_named():
                kept = KeptVectors(await stack.enter_async_context(open_redis(str(settings.redis_url))))
        yield Embeddings(
            engine.models,
            EmbeddingUpstream(engine.upstream),
            engine.limits,
            engine.running.generations,
            KeepNothing(engine.stores.generations),
            kept,
            observer,
        )
