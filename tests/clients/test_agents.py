"""Coding agents, unmodified: each does a piece of work by a tool, with each vendor's model."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

import pytest
from aichat_sandbox.platform import Platform

from tests.e2e.calls import MODELS, script
from tests.e2e.compat.test_client_pages import BLOCK, PAGES
from tests.fixtures.clients import CLIENTS, run

AGENTS = CLIENTS / "agents/node_modules/.bin"
NODE = CLIENTS.parents[1] / ".venv/bin"
WORK = "echo $((6 * 7)) > answer.txt"
# Codex gives OpenAI's models one tool, in a namespace, whose text is a program that calls its others.
PROGRAM = f"await tools.exec_command({json.dumps({'cmd': WORK})});"


def settings(home: Path) -> dict[str, str]:
    """Returns the environment of an agent: its commands, and a folder of its own for all that it keeps."""
    return {"PATH": f"{AGENTS}:{NODE}:{os.environ['PATH']}", "HOME": str(home), "DISABLE_AUTOUPDATER": "1"}


def asked(tool: str, arguments: str | Mapping[str, str]) -> str:
    """Returns a question whose answer needs a tool once."""
    return script(rounds=[{"tools": [{"name": tool, "arguments": arguments}]}, {"deltas": ["Done ", "well."]}])


@pytest.mark.parametrize("model", MODELS)
async def test_claude_code_works_by_its_tools(platform: Platform, tmp_path: Path, model: str) -> None:
    api = {"ANTHROPIC_BASE_URL": f"{platform.http}/anthropic", "ANTHROPIC_AUTH_TOKEN": platform.key["api_key"]}
    question = asked("Bash", {"command": WORK, "description": "Computes it."})
    command = ("claude", "--print", "--model", model, "--allowedTools", "Bash", "--", question)
    shown = await run(platform, tmp_path, *command, settings=settings(tmp_path) | api)
    assert "Done well." in shown
    assert (tmp_path / "answer.txt").read_text() == "42\n"


@pytest.mark.parametrize("model", MODELS)
async def test_codex_works_by_its_tools(platform: Platform, tmp_path: Path, model: str) -> None:
    provider = {"name": "AI Chat Platform", "base_url": f"{platform.http}/openai/v1", "env_key": "AICHAT_API_KEY"}
    lines = ["[model_providers.aichat]", *(f"{name} = {json.dumps(value)}" for name, value in provider.items())]
    (tmp_path / ".codex").mkdir()
    (tmp_path / ".codex/config.toml").write_text(
        "\n".join(['model_provider = "aichat"', *lines, 'wire_api = "responses"'])
    )
    question = asked("exec", PROGRAM) if model.startswith("gpt") else asked("exec_command", {"cmd": WORK})
    flags = ("--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox")
    shown = await run(
        platform, tmp_path, "codex", "exec", *flags, "--model", model, question, settings=settings(tmp_path)
    )
    assert "Done well." in shown
    assert (tmp_path / "answer.txt").read_text() == "42\n"


@pytest.mark.parametrize("page", ["claude-code", "codex"])
async def test_the_example_of_its_page(platform: Platform, tmp_path: Path, page: str) -> None:
    [(_, code)] = BLOCK.findall((PAGES / f"{page}.md").read_text())
    assert "stand-in" in await run(platform, tmp_path, "sh", "-eu", "-c", code, settings=settings(tmp_path))
