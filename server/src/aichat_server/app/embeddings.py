"""Builds what makes embeddings."""

from __future__ import annotations

from aichat_server.app.engine import Engine
from aichat_server.embeddings.gateway.kept_vectors import KeptVectors
from aichat_server.embeddings.service.embeddings import Embeddings
from aichat_server.generations.service.keep_nothing import KeepNothing
from aichat_server.providers.service.embedding import EmbeddingUpstream
from aichat_server.telemetry.observing import Observer


def build_embeddings(engine: Engine, observer: Observer) -> Embeddings:
    """Returns the use case; without REDIS_URL it keeps no vectors for repeated calls."""
    running = engine.running
    return Embeddings(
        engine.models,
        EmbeddingUpstream(engine.upstream),
        engine.limits,
        running.generations,
        KeepNothing(engine.stores.generations),
        KeptVectors(running.redis) if running.redis is not None else None,
        observer,
    )
