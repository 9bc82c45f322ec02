"""Which providers a configuration creates."""

from __future__ import annotations

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.providers.gateway.base import ProviderConfig
from aichat_server.providers.gateway.chat_completions import ChatCompletionsProvider
from aichat_server.providers.gateway.claude import ClaudeProvider
from aichat_server.providers.gateway.factory import AIProviderFactory
from aichat_server.providers.gateway.gemini import GeminiProvider
from aichat_server.providers.gateway.openai import OpenAIProvider


async def test_each_name_gets_its_provider() -> None:
    other = ProviderConfig("groq", "k", "http://127.0.0.1:1", openai_compatible=True)
    factory = AIProviderFactory([*(ProviderConfig(name, "k") for name in ("anthropic", "openai", "gemini")), other])
    made = [type(factory.get(name)) for name in ("anthropic", "openai", "gemini", "groq")]
    assert made == [ClaudeProvider, OpenAIProvider, GeminiProvider, ChatCompletionsProvider]
    assert "groq" in factory
    await factory.aclose()


async def test_a_vendor_without_credentials_is_not_configured() -> None:
    factory = AIProviderFactory([])
    assert "openai" not in factory
    with pytest.raises(AichatError) as caught:
        factory.get("openai")
    assert caught.value.reason is Reason.PROVIDER_NOT_CONFIGURED
    assert caught.value.metadata == {"provider": "openai"}


def test_a_name_that_nobody_has_is_refused() -> None:
    with pytest.raises(ValueError, match="'antropic'"):
        AIProviderFactory([ProviderConfig("antropic", "k")])


def test_a_key_does_not_show_in_a_configuration() -> None:
    assert "sk-secret" not in repr(ProviderConfig("openai", "sk-secret"))
