"""Builds the settings' models and their prices, for the composition root and for commands that need no more."""

from __future__ import annotations

from aichat_server.models.domain.models import EmbeddingAbilities, Model
from aichat_server.models.domain.pricing import Price
from aichat_server.models.gateway import CompatibleEntry, load_catalogue, load_prices
from aichat_server.settings import CompatibleModel, Settings, SettingsError


def build_catalogue(settings: Settings) -> dict[str, Model]:
    """Returns the models by id; raises SettingsError for unknown models."""
    try:
        return load_catalogue(settings.models, _compatible(settings))
    except ValueError as error:
        raise SettingsError(f"AICHAT_MODELS: {error}") from None


def build_prices(settings: Settings) -> dict[tuple[str, str], tuple[Price, ...]]:
    """Returns the models' prices by vendor and model, from genai-prices and the settings."""
    return load_prices(settings.models, _compatible(settings))


def _compatible(settings: Settings) -> list[CompatibleEntry]:
    return [
        CompatibleEntry(
            endpoint=endpoint.name,
            model=model.id,
            context_window=model.context_window,
            max_output_tokens=model.max_output_tokens,
            input_usd_per_mtok=model.input_usd_per_mtok,
            output_usd_per_mtok=model.output_usd_per_mtok,
            reasoning=model.reasoning,
            cached_input_usd_per_mtok=model.cached_input_usd_per_mtok,
            search_usd=model.search_usd,
            tools=model.tools,
            images=model.images,
            documents=model.documents,
            audio=model.audio,
            response_format=model.response_format,
            embedding=_embedding(model) if model.embedding else None,
        )
        for endpoint in settings.openai_compatible
        for model in endpoint.models
    ]


def _embedding(model: CompatibleModel) -> EmbeddingAbilities:
    return EmbeddingAbilities(
        dimensions=model.dimensions,
        custom_dimensions=model.custom_dimensions,
        tokens=True,
        max_input_tokens=model.context_window,
    )
