"""Converts embedding models from the domain to the contract."""

from __future__ import annotations

from aichat.v1 import embeddings_pb2

from aichat_server.models.domain.models import EmbeddingAbilities, Model
from aichat_server.transport.values import price_change_to_proto, price_to_proto, timestamp


def model_to_proto(model: Model) -> embeddings_pb2.EmbeddingModel:
    """Converts a model that makes embeddings."""
    can = model.embedding or EmbeddingAbilities()
    return embeddings_pb2.EmbeddingModel(
        model=model.id,
        provider=model.provider,
        display_name=model.display_name,
        dimensions=can.dimensions,
        custom_dimensions=can.custom_dimensions,
        tokens=can.tokens,
        tasks=can.tasks,
        max_input_tokens=can.max_input_tokens,
        prices=map(price_to_proto, model.prices),
        price_changes=[price_change_to_proto(price.version, price.tiers) for price in model.announced],
        retire_time=timestamp(model.retires_at) if model.retires_at is not None else None,
    )
