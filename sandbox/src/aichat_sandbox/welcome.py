"""The output of `make run`: each part when it is ready, a first chat with each vendor, and what to do next."""

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
    """Writes styled text to a terminal, and plain lines elsewhere."""

    def __init__(self, console: Console, stand_ins: Sequence[Service]) -> None:
        self._console = console
        self._stand_ins = stand_ins
        self._began = time.monotonic()
        self._model = ""

    def line(self, text: str = "", style: str | None = None) -> None:
        """Writes one line, never wrapped, so that it can be copied."""
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def part(self, name: str) -> None:
        """Reports that a part of the platform is ready, and when."""
        self.line(f"  {time.monotonic() - self._began:4.1f} s  {name} ready")

    def stand_ins(self) -> None:
        """Reports which services are stand-ins, and how to use the real ones."""
        for service in SERVICES:
            if service in self._stand_ins:
                self.line(f"  {service.name}: a stand-in; set {service.key} to use the real one", style="yellow")
            else:
                self.line(f"  {service.name}: the real one, with {service.key}", style="green")

    async def meet(self, platform: Platform) -> None:
        """Finds a model to try. On the first run, asks each vendor's cheapest model and streams the answers.

        Real vendors charge for answers, so they are asked only once.
        """
        async with AsyncAIChat(endpoint=platform.grpc, api_key=platform.key["api_key"]) as client:
            models = await client.models.list()
            for provider in dict.fromkeys(model.provider for model in models):
                cheapest = _cheapest(model for model in models if model.provider == provider)
                self._model = cheapest.model
                if platform.is_new:
                    await self._chat(client, cheapest)

    async def _chat(self, client: AsyncAIChat, model: Model) -> None:
        is_stand_in = any(vendor in self._stand_ins for vendor in VENDORS if vendor.provider == model.provider)
        self.line(f"\n{model.provider} · {model.model}{' (stand-in)' if is_stand_in else ''}", style="bold")
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
        """Prints the addresses, and commands to try."""
        body = json.dumps({"model": self._model, "parts": [{"text": {"text": "Hello"}}]})
        self.line(f"\nReady after {time.monotonic() - self._began:.1f} s", style="bold green")
        self.line(f"  gRPC            {platform.grpc}")
        self.line(f"  JSON, gRPC-Web  {platform.http}")
        self.line(f"  API key         {platform.key['api_key']}")
        self.line(f"  Postgres        {platform.database_url}")
        self.line(f"  Redis           {platform.redis_url}")
        self.line(f"  E-mails         {platform.mail_folder or 'really sent, by SMTP_URL'}")
        self.line("\nTry, from another terminal:", style="bold")
        self.line('  make chat TEXT="What can you do?"')
        self.line("  .venv/bin/aichat conversations")
        self.line('  eval "$(make -s env)"    # endpoint, API key, and a user\'s session token, for your programs')
        self.line(
            f"  curl -N {platform.http}/v1/chat:stream -H 'authorization: Bearer {platform.key['api_key']}' "
            f"-H 'content-type: application/json' -d '{body}'"
        )
        self.line("\nCtrl-C stops everything; the next run keeps data and key.", style="dim")


def _cheapest(models: Iterable[Model]) -> Model:
    return min(models, key=lambda model: [money_usd(price.output) for price in model.prices if price.output])


def _printable(text: str) -> str:
    return "".join(character for character in text if character.isprintable() or character in "\n\t")
