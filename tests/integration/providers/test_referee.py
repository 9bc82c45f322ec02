"""The providers with a stand-in by other authors, so that ours is not the only judge."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aichat_server.core.errors import Reason
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import Stop, StopReason, UsageReport
from aichat_server.providers.gateway.base import BaseAIProvider, ProviderConfig
from aichat_server.providers.gateway.factory import AIProviderFactory

from tests.fixtures.vendors import answer, asking

PATHS = {"anthropic": "", "openai": "/v1", "gemini": ""}


@pytest.fixture
async def refereed(vendor: str, referee: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BaseAIProvider]:
    """The vendor's provider with the referee, which supports only Gemini's beta."""
    monkeypatch.setenv("GOOGLE_GENAI_API_VERSION", "beta")
    factory = AIProviderFactory([ProviderConfig(vendor, "a-key", referee + PATHS[vendor])])
    yield factory.get(vendor)
    await factory.aclose()


async def test_a_whole_answer(refereed: BaseAIProvider, vendor: str) -> None:
    got = await answer(refereed, asking(vendor, "greet"))
    assert got.error is None
    assert got.text == "Grüezi, this is the referee speaking."
    assert got.reasoning == ("They want a greeting." if vendor != "openai" else got.reasoning)
    assert isinstance(got.events[-2], UsageReport)
    assert got.events[-2].usage == Usage(input=12, output=34)
    assert got.events[-1] == Stop(StopReason.END_TURN)


async def test_a_rate_limit(refereed: BaseAIProvider, vendor: str) -> None:
    got = await answer(refereed, asking(vendor, "limit"))
    assert got.error
    assert (got.error.reason, got.error.retry_after) == (Reason.PROVIDER_RATE_LIMITED, 1.0)


async def test_a_stream_that_breaks_off(refereed: BaseAIProvider, vendor: str) -> None:
    got = await answer(refereed, asking(vendor, "break"))
    assert got.error
    assert got.error.reason is Reason.PROVIDER_STREAM_BROKEN
    assert got.text
    assert "This answer will not get to its end.".startswith(got.text)
