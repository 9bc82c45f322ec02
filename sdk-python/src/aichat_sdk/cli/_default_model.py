"""Chooses the model if the user names none."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from aichat_sdk.client import AsyncAIChat
from aichat_sdk.errors import NotFoundError
from aichat_sdk.types import Model, money_usd


async def default_model(client: AsyncAIChat) -> str:
    """Returns the cheapest model offered, so that a mistake costs little; raises NotFoundError if there is none."""
    models = await client.models.list()
    if not models:
        raise NotFoundError("the platform offers no models: give the server a vendor's API key")
    return cheapest(models).model


def cheapest(models: Iterable[Model]) -> Model:
    """Returns the model with the cheapest tokens, output first; a model without a price comes last."""
    return min(models, key=_cost)


def _cost(model: Model) -> tuple[bool, Decimal, Decimal]:
    if not model.prices:
        return True, Decimal(0), Decimal(0)
    return False, money_usd(model.prices[0].output), money_usd(model.prices[0].input)
