"""Runs the examples of docs/compatible exactly as written, with the clients that tests/clients pins."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from aichat_sandbox.platform import Platform

from tests.fixtures.clients import CLIENTS, command, run

PAGES = Path(__file__).resolve().parents[3] / "docs/compatible"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
AGENTS = {"claude-code.md", "codex.md", "continue.md", "llamaindex.md", "opencode.md"}
"""`make clients` runs these."""
EXAMPLES = [
    pytest.param(language, code, id=f"{page.stem}-{language}")
    for page in sorted(PAGES.glob("*.md"))
    if page.name not in AGENTS
    for language, code in BLOCK.findall(page.read_text())
]


@pytest.mark.parametrize(("language", "code"), EXAMPLES)
async def test_example(platform: Platform, tmp_path: Path, language: str, code: str) -> None:
    shown = await run(platform, tmp_path, *command(language, code), cwd=CLIENTS)
    assert "stand-in" in shown, "the model's answer is shown"


def test_every_client_has_a_page() -> None:
    overview = (PAGES / "README.md").read_text()
    assert {page.name for page in PAGES.glob("*.md")} == {"README.md", *re.findall(r"\]\(([\w-]+\.md)\)", overview)}
