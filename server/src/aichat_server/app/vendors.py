"""Builds the vendors from the settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from aichat_server.models.domain.models import Model
from aichat_server.providers.domain.retry import RetryPolicy
from aichat_server.providers.gateway.base import OpenAIApi, ProviderConfig
from aichat_server.providers.service.upstream import UpstreamPolicy
from aichat_server.settings import Settings, SettingsError


def build_upstream_policy(settings: Settings, catalogue: Mapping[str, Model]) -> UpstreamPolicy:
    """Returns how to handle vendors that misbehave.

    Raises SettingsError, naming every fallback that could never answer.
    """
    vendors = {config.name for config in provider_configs(settings)}
    wrong = []
    for model, fallback in settings.fallbacks.items():
        wrong += [f"there is no model {name}" for name in (model, fallback) if name not in catalogue]
        wrong += [
            f"{name} makes embeddings, and has no fallback and is none"
            for name in (model, fallback)
            if name in catalogue and catalogue[name].embedding is not None
        ]
        if model == fallback:
            wrong.append(f"{model} cannot stand in for itself")
        elif fallback in catalogue and catalogue[fallback].provider not in vendors:
            wrong.append(f"{fallback} needs credentials for {catalogue[fallback].provider}")
    if wrong:
        raise SettingsError(f"AICHAT_FALLBACKS: {'; '.join(wrong)}")
    return UpstreamPolicy(
        retry=RetryPolicy(settings.provider_retries),
        fallbacks=settings.fallbacks,
        circuit_failures=settings.provider_circuit_failures,
        circuit_seconds=settings.provider_circuit_seconds,
        connections=settings.provider_connections,
    )


def provider_configs(settings: Settings) -> Iterator[ProviderConfig]:
    """Yields how to reach each vendor with credentials in the settings."""
    vendors = (
        ("anthropic", settings.anthropic_api_key, settings.anthropic_base_url),
        ("openai", settings.openai_api_key, settings.openai_base_url),
        ("gemini", settings.gemini_api_key, settings.gemini_base_url),
    )
    stall, reasoning_stall = settings.longest_silence
    api = OpenAIApi(settings.openai_api) if settings.openai_api is not None else None
    for name, key, base_url in vendors:
        if key is not None:
            yield ProviderConfig(
                name,
                key.get_secret_value(),
                base_url,
                stall_seconds=stall,
                reasoning_stall_seconds=reasoning_stall,
                openai_api=api if name == "openai" else None,
            )
    for endpoint in settings.openai_compatible:
        key = endpoint.api_key
        yield ProviderConfig(
            endpoint.name,
            key.get_secret_value(),
            endpoint.base_url,
            stall_seconds=stall,
            reasoning_stall_seconds=reasoning_stall,
            openai_compatible=True,
            searching_models=frozenset(model.id for model in endpoint.models if model.search_usd),
        )
