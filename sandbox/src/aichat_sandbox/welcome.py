"""What `make run` shows: the parts as they come up, a first chat with each vendor, and what to do next."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Sequence

from aichat_sdk import AIChatError, AsyncAIChat, cost_usd
from aichat_sdk.types import Model, money_usd
from rich.console import Console

from .platform import Platform
from .standins import SERVICES, VENDORS, Service

FIRST_QUESTION = "Who are you? Answer in one sentence."


class Welcome:
    """Writes to a terminal, or plain lines to what is none."""

    def __init__(self, console: Console, played: Sequence[Service]) -> None:
        self._console = console
        self._played = played
        self._began = time.monotonic()
        self._model = ""

    def line(self, text: str = "", style: str | None = None) -> None:
        """One line, never wrapped: it may be copied."""
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def part(self, name: str) -> None:
        """Tells that a part of the platform is ready, and when."""
        self.line(f"  {time.monotonic() - self._began:4.1f} s  {name} ready")

    def stand_ins(self) -> None:
        """Tells which services are played, and how to get the real ones."""
        for service in SERVICES:
            if service in self._played:
                self.line(f"  {service.name}: a stand-in plays it; set {service.key} for the real one", style="yellow")
            else:
                self.line(f"  {service.name}: the real one, by {service.key}", style="green")

    async def meet(self, platform: Platform) -> None:
        """Finds a model to try; the first time it asks each vendor's cheapest something, and shows the answers as they
        stream in. Real ones cost money, so they are asked once.
        """
        async with AsyncAIChat(endpoint=platform.grpc, api_key=platform.key["api_key"]) as client:
            models = await client.models.list()
            for provider in dict.fromkeys(model.provider for model in models):
                cheapest = _cheapest(model for model in models if model.provider == provider)
                self._model = cheapest.model
                if platform.is_new:
                    await self._chat(client, cheapest)

    async def _chat(self, client: AsyncAIChat, model: Model) -> None:
        played = any(vendor in self._played for vendor in VENDORS if vendor.provider == model.provider)
        self.line(f"\n{model.provider} · {model.model}{' (stand-in)' if played else ''}", style="bold")
        try:
            async with client.chat.stream(model=model.model, text=FIRST_QUESTION) as stream:
                async for text in stream.text_stream:
                    self._console.out(_printable(text), end="", highlight=False)
                message = await stream.get_final_message()
        except AIChatError as error:
            self.line(f"failed: {error}", style="red")
            return
        usage = message.usage
        tokens = f"{usage.input_tokens} + {usage.output_tokens} tokens · " if usage else ""
        self.line(f"\n{tokens}{cost_usd(message) or 0:f} USD", style="dim")

    def endpoints(self, platform: Platform) -> None:
        """Tells where everything is, and what to try."""
        body = json.dumps({"model": self._model, "parts": [{"text": {"text": "Hello"}}]})
        self.line(f"\nReady after {time.monotonic() - self._began:.1f} s", style="bold green")
        self.line(f"  gRPC            {platform.grpc}")
        self.line(f"  JSON, gRPC-Web  {platform.http}")
        self.line(f"  API key         {platform.key['api_key']}")
        self.line(f"  Postgres        {platform.database_url}")
        self.line(f"  Redis           {platform.redis_url}")
        self.line(f"  E-mails         {platform.mail_folder or 'sent for real, by SMTP_URL'}")
        self.line("\nTry, from another terminal:", style="bold")
        self.line('  make chat TEXT="What can you do?"')
        self.line("  .venv/bin/aichat conversations")
        self.line(
            '  eval "$(make -s env)"    # endpoint, API key, and a signed-in user\'s token, for programs of yours'
        )
        self.line(
            f"  curl -N {platform.http}/v1/chat:stream -H 'authorization: Bearer {platform.key['api_key']}' "
            f"-H 'content-type: application/json' -d '{body}'"
        )
        self.line("\nCtrl-C stops everything; data and key stay for the next run.", style="dim")


def _cheapest(models: Iterable[Model]) -> Model:
    return min(models, key=lambda model: [money_usd(price.output) for price in model.prices if price.output])


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable() or character in "\n\t")
