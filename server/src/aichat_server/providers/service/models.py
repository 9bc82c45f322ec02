"""The models that members can use, and the limits of each."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from dataclasses import replace

import structlog

from aichat_server.core.errors import AichatError, Reason
from aichat_server.models.domain.models import Model, ServiceTier
from aichat_server.models.domain.usage import STANDARD_PERCENT
from aichat_server.models.service import PriceBook
from aichat_server.providers.domain.requests import ChatOptions
from aichat_server.providers.gateway.base import BaseAIProvider
from aichat_server.providers.gateway.factory import AIProviderFactory

DEFAULT_MAX_OUTPUT_TOKENS = 8192
LEAST_OUTPUT_TOKENS = {"openai": 16}
"""The lowest limits that vendors accept, if that is more than one token."""
MOST_SEARCHES = 20
"""More than models make for one answer where the vendor takes no limit."""

_log = structlog.get_logger()


class Models:
    """The catalogue, at the prices in force, with the vendors that run its models."""

    def __init__(self, catalogue: Mapping[str, Model], providers: AIProviderFactory, prices: PriceBook) -> None:
        self._catalogue = catalogue
        self._providers = providers
        self._prices = prices
        for model in catalogue.values():
            if prices.current(model.provider, model.id) is None:
                _log.warning("a model has no price, and is not offered; run `prices sync`", model=model.id)

    def list(self) -> list[Model]:
        """Returns the models that chat, and for whose vendors this server has credentials, by vendor and id."""
        return [model for model in self._usable() if model.embedding is None]

    def list_embedding(self) -> builtins.list[Model]:
        """Returns the embedding models for whose vendors this server has credentials, by vendor and id."""
        return [model for model in self._usable() if model.embedding is not None]

    def _usable(self) -> builtins.list[Model]:
        known = sorted(self._catalogue.values(), key=lambda model: (model.provider, model.id))
        priced = (self._priced(model) for model in known if model.provider in self._providers)
        return [
            replace(model, announced=self._prices.announced(model.provider, model.id))
            for model in priced
            if model is not None
        ]

    def get(self, model_id: str) -> Model:
        """Returns the model, whether it chats or not. Raises MODEL_UNKNOWN if there is none, or if it has no price."""
        known = self._catalogue.get(model_id)
        model = self._priced(known) if known else None
        if model is None:
            message = f"the model {model_id!r} does not exist; ListModels and ListEmbeddingModels list those that do"
            raise AichatError(Reason.MODEL_UNKNOWN, message, metadata={"model": model_id})
        return model

    def provider(self, model: Model) -> BaseAIProvider:
        """Returns the vendor that runs the model; raises PROVIDER_NOT_CONFIGURED if there is none."""
        return self._providers.get(model.provider)

    def _priced(self, model: Model) -> Model | None:
        price = self._prices.current(model.provider, model.id)
        if price is None:
            return None
        abilities = model.abilities
        if abilities.web_search and not all(tier.web_search for tier in price.tiers):
            # What has no price is not offered.
            abilities = replace(abilities, web_search=False, search_domains=False)
        return replace(model, prices=price.tiers, price_version=price.version, abilities=abilities)


def output_limit(model: Model, options: ChatOptions) -> int:
    """Returns the most tokens that the answer may have: as many as the caller wants, or the vendor's least limit."""
    if options.max_output_tokens:
        return max(options.max_output_tokens, LEAST_OUTPUT_TOKENS.get(model.provider, 1))
    # The other half of a small context is for the conversation.
    return min(DEFAULT_MAX_OUTPUT_TOKENS, model.max_output_tokens, model.context_window // 2 or model.max_output_tokens)


def tier_percent(model: Model, options: ChatOptions) -> int:
    """Returns what the class of service costs that is asked for, in percent of the model's prices for tokens."""
    return dict(model.abilities.service_tiers).get(options.service_tier or ServiceTier.STANDARD, STANDARD_PERCENT)


def most_searches(model: Model, options: ChatOptions) -> int:
    """Returns the most searches that the model makes for an answer."""
    if options.web_search is None and not model.abilities.searches:
        return 0
    limited = options.web_search if model.abilities.search_limit else None
    return limited.max_searches if limited is not None else MOST_SEARCHES
