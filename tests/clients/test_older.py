"""The SDKs of the generation before, and what still needs them."""

from __future__ import annotations

from pathlib import Path

from aichat_sandbox.platform import Platform

from tests.e2e.compat.test_client_pages import BLOCK, PAGES
from tests.fixtures.clients import CLIENTS, command, python, run

OLDER = CLIENTS / "older"


async def test_older_sdks_work(platform: Platform, tmp_path: Path) -> None:
    shown = await run(platform, tmp_path, python(OLDER), str(CLIENTS / "scripts/older_clients.py"))
    assert shown.splitlines() == [f"ok {sdk} {model}" for sdk in ("openai", "anthropic") for model in _MODELS] + [
        "ok error"
    ]


async def test_the_example_of_llamaindex(platform: Platform, tmp_path: Path) -> None:
    [(language, code)] = BLOCK.findall((PAGES / "llamaindex.md").read_text())
    assert "stand-in" in await run(platform, tmp_path, *command(language, code, OLDER))


_MODELS = ("claude-haiku-5-5", "gpt-6-luna", "gemini-3.5-flash-lite")
