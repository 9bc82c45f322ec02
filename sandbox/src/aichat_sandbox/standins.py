"""The outside world's stand-ins, as processes."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .ports import HOST
from .supervisor import Supervisor


@dataclass(frozen=True, slots=True)
class Vendor:
    """A vendor, and the settings that say where it is."""

    name: str
    provider: str
    """Its name in the catalogue."""
    key: str
    base_url: str
    path: str
    """Where on the stand-in it is played."""


VENDORS = (
    Vendor("Claude", "anthropic", "ANTHROPIC_API_KEY", "ANTHROPIC_BASE_URL", "/anthropic"),
    Vendor("OpenAI", "openai", "OPENAI_API_KEY", "OPENAI_BASE_URL", "/openai/v1"),
    Vendor("Gemini", "gemini", "GEMINI_API_KEY", "GOOGLE_GEMINI_BASE_URL", "/gemini"),
)


async def start_stand_in(supervisor: Supervisor, name: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Starts `python -m aichat_sandbox.<name>` on a port of its choice; returns its base URL."""
    port_file = _gone(folder / f"{name}.port")

    async def has_port() -> bool:
        return port_file.exists()

    command = (sys.executable, "-m", f"aichat_sandbox.{name}", "--port", "0", "--port-file", port_file)
    await supervisor.start(name, *command, environment=environment, cwd=folder, ready=has_port)
    return f"http://{HOST}:{port_file.read_text()}"


def _gone(path: Path) -> Path:
    path.unlink(missing_ok=True)
    return path


def played(environment: Mapping[str, str]) -> tuple[Vendor, ...]:
    """The vendors that have no key in `environment`, and so are played by the stand-in."""
    return tuple(vendor for vendor in VENDORS if not environment.get(vendor.key))


def settings_for(vendors: tuple[Vendor, ...], url: str) -> dict[str, str]:
    """The settings that send the server to the stand-in at `url` for these vendors."""
    keys = {vendor.key: "stand-in" for vendor in vendors}
    return keys | {vendor.base_url: url + vendor.path for vendor in vendors}
