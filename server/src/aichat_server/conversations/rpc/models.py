"""Converts the models' catalogue from the domain to the contract."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from aichat.v1 import chat_pb2, models_pb2

from aichat_server.content.parts import PartKind
from aichat_server.models.domain.models import Model, ModelAbilities, ServiceTier
from aichat_server.transport.values import price_change_to_proto, price_to_proto, timestamp

_UNKNOWN = datetime.fromtimestamp(0, UTC)


def models_to_proto(models: Sequence[Model]) -> chat_pb2.ListModelsResponse:
    """Converts the models that a caller may ask, also as OpenAI and Anthropic name them."""
    return chat_pb2.ListModelsResponse(
        models=map(model_to_proto, models),
        object="list",
        data=map(_listed, models),
        first_id=models[0].id if models else "",
        last_id=models[-1].id if models else "",
    )


def _listed(model: Model) -> models_pb2.ListedModel:
    return models_pb2.ListedModel(
        id=model.id,
        object="model",
        owned_by=model.provider,
        type="model",
        display_name=model.display_name,
        created_at=timestamp(_UNKNOWN),
        max_input_tokens=model.context_window,
        max_tokens=model.max_output_tokens,
    )


def model_to_proto(model: Model) -> models_pb2.Model:
    """Converts a model that members can chat with."""
    return models_pb2.Model(
        model=model.id,
        provider=model.provider,
        display_name=model.display_name,
        context_window=model.context_window,
        max_output_tokens=model.max_output_tokens,
        prices=map(price_to_proto, model.prices),
        abilities=_abilities(model.abilities),
        price_changes=[price_change_to_proto(price.version, price.tiers) for price in model.announced],
        retire_time=timestamp(model.retires_at) if model.retires_at is not None else None,
    )


def _abilities(can: ModelAbilities) -> models_pb2.ModelAbilities:
    return models_pb2.ModelAbilities(
        reasoning=can.reasoning,
        temperature=can.temperature,
        stop=can.stop,
        images=PartKind.IMAGE in can.reads,
        documents=PartKind.DOCUMENT in can.reads,
        audio=PartKind.AUDIO in can.reads,
        urls=can.urls,
        tools=can.tools,
        parallel_tool_calls=can.parallel_tool_calls,
        response_format=can.response_format,
        caching=can.caching,
        web_search=can.web_search,
        top_p=can.top_p,
        seed=can.seed,
        exact_token_count=can.exact_token_count,
        service_tiers=[_tier(tier, percent) for tier, percent in can.service_tiers],
    )


def _tier(tier: ServiceTier, percent: int) -> models_pb2.TierPrice:
    return models_pb2.TierPrice(tier=models_pb2.ServiceTier.Value(f"SERVICE_TIER_{tier.name}"), percent=percent)
