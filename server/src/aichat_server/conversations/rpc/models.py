"""Converts the models' catalogue from the domain to the contract."""

from __future__ import annotations

from aichat.v1 import models_pb2

from aichat_server.models.domain.models import Model
from aichat_server.models.domain.pricing import PriceTier
from aichat_server.models.domain.usage import KINDS
from aichat_server.transport.values import money_to_proto


def model_to_proto(model: Model) -> models_pb2.Model:
    """Converts a model that members can chat with."""
    return models_pb2.Model(
        model=model.id,
        provider=model.provider,
        display_name=model.display_name,
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
        prices=[_price(tier) for tier in model.prices],
        abilities=models_pb2.ModelAbilities(
            reasoning=model.abilities.reasoning,
            temperature=model.abilities.temperature,
            stop=model.abilities.stop,
        ),
    )


def _price(tier: PriceTier) -> models_pb2.ModelPrice:
    prices = {kind.price: money_to_proto(getattr(tier, kind.price)) for kind in KINDS if kind.price is not None}
    return models_pb2.ModelPrice(above_tokens=tier.above, **prices)
