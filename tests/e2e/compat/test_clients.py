"""Clients that developers have, unmodified: each asks each vendor's model, over each API that it speaks."""

from __future__ import annotations

from pathlib import Path

import pytest
from aichat_sandbox.platform import Platform

from tests.fixtures.clients import CLIENTS, NODE, python, run

MODELS = ("claude-haiku-5-5", "gpt-6-luna", "gemini-3.5-flash-lite")
BOTH = ("openai_chat", "openai_responses", "anthropic_messages")
CHECKED = {
    "langchain_client.py": (BOTH, ("error", "embeddings")),
    "pydantic_ai_client.py": (BOTH, ("error",)),
    "agents_client.py": (("chat_completions", "responses"), ()),
    "llm_client.py": (("llm",), ("error",)),
    "openai_client.mjs": (("chat", "responses"), ("error", "embeddings", "models")),
    "anthropic_client.mjs": (("messages",), ("error", "models")),
    "ai_client.mjs": (("chat", "responses", "messages", "compatible"), ("error",)),
}
"""What each script says that it has checked: with each model, and once."""


@pytest.mark.parametrize("script", CHECKED)
async def test_it_works_with_every_vendors_model(platform: Platform, tmp_path: Path, script: str) -> None:
    each, once = CHECKED[script]
    runner = (python(),) if script.endswith(".py") else NODE
    output = await run(platform, tmp_path, *runner, str(CLIENTS / "scripts" / script))
    told = sorted(line for line in output.splitlines() if line.startswith("ok "))
    assert told == sorted([f"ok {check} {model}" for check in each for model in MODELS] + [f"ok {n}" for n in once])
