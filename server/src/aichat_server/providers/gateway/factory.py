"""Creates the configured vendors, and returns them by name."""

from __future__ import annotations

from collections.abc import Iterable

from aichat_server.core.errors import AichatError, Reason
from aichat_server.providers.gateway.base import BaseAIProvider, ProviderConfig
from aichat_server.providers.gateway.chat_completions import ChatCompletionsProvider
from aichat_server.providers.gateway.claude import ClaudeProvider
from aichat_server.providers.gateway.gemini import GeminiProvider
from aichat_server.providers.gateway.openai import OpenAIProvider
from aichat_server.providers.gateway.tick import Tick

VENDORS: dict[str, type[ClaudeProvider | OpenAIProvider | GeminiProvider]] = {
    "anthropic": ClaudeProvider,
    "openai": OpenAIProvider,
    "gemini": GeminiProvider,
}


class AIProviderFactory:
    """The vendors of this server, one provider each."""

    def __init__(self, configs: Iterable[ProviderConfig], *, window_seconds: float = 0.0) -> None:
        """All providers share a tick at which they read answers, at least once in `window_seconds`; 0: as they arrive.

        Raises ValueError for a name that is neither a vendor's nor a compatible endpoint's.
        """
        tick = Tick(window_seconds)
        self._providers: dict[str, BaseAIProvider] = {config.name: _made(config, tick) for config in configs}

    def __contains__(self, name: object) -> bool:
        """Whether a provider with that name is configured."""
        return name in self._providers

    def get(self, name: str) -> BaseAIProvider:
        """Returns the provider with that name; raises PROVIDER_NOT_CONFIGURED if there is none."""
        provider = self._providers.get(name)
        if provider is None:
            raise AichatError(
                Reason.PROVIDER_NOT_CONFIGURED,
                f"this server has no credentials for {name}; its operator must add them",
                metadata={"provider": name},
            )
        return provider

    async def aclose(self) -> None:
        """Closes every provider."""
        for provider in self._providers.values():
            await provider.aclose()


def _made(config: ProviderConfig, tick: Tick) -> BaseAIProvider:
    if config.openai_compatible:
        return ChatCompletionsProvider(config, tick)
    if config.name not in VENDORS:
        raise ValueError(f"no vendor is called {config.name!r}: {', '.join(VENDORS)}, or an OpenAI-compatible endpoint")
    return VENDORS[config.name](config, tick)
