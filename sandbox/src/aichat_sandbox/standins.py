"""Starts the stand-ins for external services."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from aiohttp import ClientSession

from .ports import HOST
from .supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Service:
    """An external service, and the settings that name it."""

    name: str
    key: str
    base_url: str
    path: str
    """The path on its stand-in."""
    stand_in_key: str = "stand-in"
    """The API key that its stand-in accepts."""
    further: tuple[tuple[str, str], ...] = ()
    """Further settings, which say what its stand-in can do."""


@dataclass(frozen=True, slots=True)
class Vendor(Service):
    """A vendor of models."""

    provider: str = ""
    """Its name in the catalogue."""


VENDORS = (
    Vendor("Claude", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "/anthropic", provider="anthropic"),
    Vendor(
        "OpenAI",
        "OPENAI_API_KEY",
        "OPENAI_BASE_URL",
        "/openai/v1",
        provider="openai",
        further=(("AICHAT_OPENAI_API", "responses"),),
    ),
    Vendor("Gemini", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "/gemini", provider="gemini"),
)
STRIPE = Service("Stripe", "STRIPE_SECRET_KEY", "AICHAT_STRIPE_BASE_URL", "", stand_in_key="sk_test_stand_in")
SERVICES = (*VENDORS, STRIPE)


async def start_mail(supervisor: Supervisor, folder: Path, environment: Mapping[str, str]) -> str:
    """Starts the mail server's stand-in, which stores e-mails in `folder`; returns its SMTP URL."""
    url = await start_stand_in(supervisor, "smtp", folder, environment)
    async with ClientSession() as client, client.get(url) as response:
        return f"smtp://{HOST}:{(await response.json())['smtp_port']}"


def mail_settings(smtp_url: str, public_url: str) -> dict[str, str]:
    """Returns the settings that send the server's e-mails to the stand-in."""
    return {
        "SMTP_URL": smtp_url,
        "AICHAT_MAIL_FROM": "AI Chat <no-reply@sandbox.example>",
        # Public, because it only signs links in this machine's e-mails, which are never delivered.
        "AICHAT_MAIL_SECRET": "the public secret of the sandbox",
        "AICHAT_PUBLIC_URL": public_url,
    }


async def start_stand_in(
    supervisor: Supervisor, name: str, folder: Path, environment: Mapping[str, str], *arguments: str | Path
) -> str:
    """Starts `python -m aichat_sandbox.<name>` on a free port; returns its base URL."""
    port_file = _gone(folder / f"{name}.port")

    async def has_port() -> bool:
        return port_file.exists()

    command = (sys.executable, "-m", f"aichat_sandbox.{name}", "--port", "0", "--port-file", port_file, *arguments)
    await supervisor.start(name, *command, environment=environment, cwd=folder, ready=has_port)
    return f"http://{HOST}:{port_file.read_text()}"


async def send_webhooks(stripe_url: str, to: str) -> None:
    """Tells Stripe's stand-in to send its webhooks to this address."""
    async with (
        ClientSession() as session,
        session.post(f"{stripe_url}/_control/webhook", json={"url": to}) as response,
    ):
        response.raise_for_status()


def _gone(path: Path) -> Path:
    path.unlink(missing_ok=True)
    return path


def without_key(environment: Mapping[str, str]) -> tuple[Service, ...]:
    """Returns the services without a key in `environment`, which stand-ins replace."""
    return tuple(service for service in SERVICES if not environment.get(service.key))


def settings_for(services: Sequence[Service], url: str) -> dict[str, str]:
    """Returns the settings that point the server to the stand-in at `url` for these services."""
    keys = {service.key: service.stand_in_key for service in services}
    further = {name: value for service in services for name, value in service.further}
    return keys | further | {service.base_url: url + service.path for service in services}
