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

MODULES = CLIENTS / "agents/node_modules"
OPENCODE = next(MODULES.glob("opencode-*/bin"), None)
"""Its package for this platform has no command of its own; no package is pinned for some platforms."""
needs_opencode = pytest.mark.skipif(OPENCODE is None, reason="no package of opencode is pinned for this platform")
NODE = CLIENTS.parents[1] / ".venv/bin"
WORK = "echo $((6 * 7)) > answer.txt"
# Codex gives OpenAI's models one tool, in a namespace, whose text is a program that calls its others.
PROGRAM = f"await tools.exec_command({json.dumps({'cmd': WORK})});"


def settings(home: Path) -> dict[str, str]:
    """Returns the environment of an agent: its commands, and a folder of its own for all that it keeps."""
    return {
        "PATH": f"{MODULES / '.bin'}:{OPENCODE}:{NODE}:{os.environ['PATH']}",
        "HOME": str(home),
        "DISABLE_AUTOUPDATER": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "CONTINUE_TELEMETRY_ENABLED": "0",
    }


def asked(*calls: tuple[str, str | Mapping[str, str]]) -> str:
    """Returns a question whose answer needs tools, one after another."""
    rounds = [{"tools": [{"name": tool, "arguments": arguments}]} for tool, arguments in calls]
    return script(rounds=[*rounds, {"deltas": ["Done ", "well."]}])


def examples(page: str) -> list[str]:
    """Returns the examples of a client's page."""
    return [code for _, code in BLOCK.findall((PAGES / f"{page}.md").read_text())]


def configured(page: str) -> str:
    """Returns the first example without its last line, which asks."""
    return "".join(examples(page)[0].splitlines(keepends=True)[:-1])


@pytest.mark.parametrize("model", MODELS)
async def test_claude_code_works_by_its_tools(platform: Platform, tmp_path: Path, model: str) -> None:
    api = {"ANTHROPIC_BASE_URL": f"{platform.http}/anthropic", "ANTHROPIC_AUTH_TOKEN": platform.key["api_key"]}
    question = asked(("Bash", {"command": WORK, "description": "Computes it."}))
    command = ("claude", "--print", "--model", model, "--allowedTools", "Bash", "--", question)
    shown = await run(platform, tmp_path, *command, settings=settings(tmp_path) | api)
    assert "Done well." in shown
    assert (tmp_path / "answer.txt").read_text() == "42\n"


@pytest.mark.parametrize("model", MODELS)
async def test_codex_works_by_its_tools(platform: Platform, tmp_path: Path, model: str) -> None:
    question = asked(("exec", PROGRAM) if model.startswith("gpt") else ("exec_command", {"cmd": WORK}))
    flags = "--skip-git-repo-check --dangerously-bypass-approvals-and-sandbox"
    code = f'{configured("codex")}exec codex exec {flags} --model "$0" "$1"'
    shown = await run(platform, tmp_path, "sh", "-eu", "-c", code, model, question, settings=settings(tmp_path))
    assert "Done well." in shown
    assert (tmp_path / "answer.txt").read_text() == "42\n"


@needs_opencode
@pytest.mark.parametrize("model", MODELS)
async def test_opencode_works_by_its_tools(platform: Platform, tmp_path: Path, model: str) -> None:
    # It quotes an argument that has spaces.
    words = asked(
        ("bash", {"command": WORK, "description": "Computes it."}), ("read", {"filePath": "answer.txt"})
    ).split()
    code = f'{configured("opencode")}exec opencode run --model "aichat/$0" -- "$@"'
    shown = await run(platform, tmp_path, "sh", "-eu", "-c", code, model, *words, settings=settings(tmp_path))
    assert "Read answer.txt" in shown
    assert "Done well." in shown
    assert (tmp_path / "answer.txt").read_text() == "42\n"


@pytest.mark.parametrize("model", MODELS)
async def test_continue_works_by_its_tools(platform: Platform, tmp_path: Path, model: str) -> None:
    code = configured("continue").replace("claude-haiku-5-5", model) + 'exec cn --auto -p "$0"'
    question = asked(("Bash", {"command": WORK}), ("Read", {"filepath": "answer.txt"}))
    shown = await run(platform, tmp_path, "sh", "-eu", "-c", code, question, settings=settings(tmp_path))
    assert "Done well." in shown
    assert (tmp_path / "answer.txt").read_text() == "42\n"


@pytest.mark.parametrize("page", ["claude-code", "codex", "continue", pytest.param("opencode", marks=needs_opencode)])
async def test_the_examples_of_its_page(platform: Platform, tmp_path: Path, page: str) -> None:
    codes = examples(page)
    shown = await run(platform, tmp_path, "sh", "-eu", "-c", "".join(codes), settings=settings(tmp_path))
    assert "stand-in" in shown
    assert len(codes) == 1 or "You · 20" in shown, "a session that is kept is shown, with the time of each message"
