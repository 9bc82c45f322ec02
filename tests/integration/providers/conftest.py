"""The three providers, each with the stand-in."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from aichat_server.providers.gateway.base import BaseAIProvider, OpenAIApi, ProviderConfig
from aichat_server.providers.gateway.factory import AIProviderFactory

from tests.fixtures.vendors import MODELS, Vendors


@pytest.fixture(params=sorted(MODELS))
def vendor(request: pytest.FixtureRequest) -> str:
    """Each of the three in turn."""
    name: str = request.param
    return name


@pytest.fixture(scope="session")
async def factory(vendors: Vendors) -> AsyncIterator[AIProviderFactory]:
    """All three, and an OpenAI-compatible endpoint called "other"."""
    # Nobody needs to find out which API it has.
    configs = [replace(vendors.config(name), openai_api=OpenAIApi.RESPONSES) for name in MODELS]
    other = ProviderConfig("other", "a-key", vendors.base_url("openai"), openai_compatible=True)
    made = AIProviderFactory([*configs, other], window_seconds=0.05)
    yield made
    await made.aclose()


@pytest.fixture
def provider(vendor: str, factory: AIProviderFactory, vendors: Vendors) -> BaseAIProvider:
    """The vendor's provider, with the stand-in's log empty."""
    vendors.clear_log()
    return factory.get(vendor)
