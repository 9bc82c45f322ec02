"""The outside world's stand-ins, as processes."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .ports import HOST
from .supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Service:
    """Somebody's service, and the settings that say where it is."""

    name: str
    key: str
    base_url: str
    path: str
    """Where on its stand-in it is played."""
    played_key: str = "stand-in"
    """What its stand-in takes for a key."""


@dataclass(frozen=True, slots=True)
class Vendor(Service):
    """A vendor of models."""

    provider: str = ""
    """Its name in the catalogue."""


VENDORS = (
    Vendor("Claude", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "/anthropic", provider="anthropic"),
    Vendor("OpenAI", "OPENAI_API_KEY", "OPENAI_BASE_URL", "/openai/v1", provider="openai"),
    Vendor("Gemini", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "/gemini", provider="gemini"),
)
STRIPE = Service("Stripe", "STRIPE_SECRET_KEY", "AICHAT_STRIPE_BASE_URL", "", played_key="sk_test_stand_in")
SERVICES = (*VENDORS, STRIPE)


async def start_stand_in(
    supervisor: Supervisor, name: str, folder: Path, environment: Mapping[str, str], *arguments: str | Path
) -> str:
    """Starts `python -m aichat_sandbox.<name>` on a port of its choice; returns its base URL."""
    port_file = _gone(folder / f"{name}.port")

    async def has_port() -> bool:
        return port_file.exists()

    command = (sys.executable, "-m", f"aichat_sandbox.{name}", "--port", "0", "--port-file", port_file, *arguments)
    await supervisor.start(name, *command, environment=environment, cwd=folder, ready=has_port)
    return f"http://{HOST}:{port_file.read_text()}"


def _gone(path: Path) -> Path:
    path.unlink(missing_ok=True)
    return path


def played(environment: Mapping[str, str]) -> tuple[Service, ...]:
    """The services that have no key in `environment`, and so are played by a stand-in."""
    return tuple(service for service in SERVICES if not environment.get(service.key))


def settings_for(services: Sequence[Service], url: str) -> dict[str, str]:
    """The settings that send the server to the stand-in at `url` for these services."""
    keys = {service.key: service.played_key for service in services}
    return keys | {service.base_url: url + service.path for service in services}
