"""`make chat` and `make env` in a shell, beside a running platform."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from aichat_sandbox.platform import Platform
from aichat_sandbox.state import announced
from aichat_sdk import AsyncAIChat, message_text

from tests.e2e.runs import ROOT, environment
from tests.integration.sdk.aichat import Finished

MAKE = "make --silent --assume-old .venv/.ready"


@pytest.fixture
def home(platform: Platform, tmp_path: Path) -> Iterator[Path]:
    """A folder like one in which somebody ran `make run`, with a name that people give to folders."""
    home = tmp_path / "it's my folder"
    home.mkdir()
    for name in ("Makefile", ".venv"):
        (home / name).symlink_to(ROOT / name)
    (home / ".sandbox").mkdir()
    with announced(home / ".sandbox", platform, None):
        yield home


async def shell(home: Path, line: str, stdin: str = "") -> Finished:
    pipe = asyncio.subprocess.PIPE
    command = ("sh", "-c", line)
    process = await asyncio.create_subprocess_exec(
        *command, cwd=home, env=environment(), stdin=pipe, stdout=pipe, stderr=pipe
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate(stdin.encode())
    return Finished(process.returncode or 0, out.decode(), err.decode())


@pytest.mark.parametrize("text", ["It's $5", '"$(shell touch pwned)" `id` \\ #', "-x", "--model", "two\nlines"])
async def test_make_chat_sends_the_text_as_it_is(platform: Platform, home: Path, text: str) -> None:
    done = await shell(home, f"{MAKE} chat TEXT={shlex.quote(text)} MODEL=gpt-6-luna")
    assert done.code == 0, done.err
    assert not (home / "pwned").exists()
    async with AsyncAIChat(endpoint=platform.grpc, api_key=platform.key["api_key"]) as client:
        (newest, *_) = (await client.conversations.list(page_size=1)).items
        said, answer = (await client.conversations.list_messages(newest.conversation_id)).items
    assert message_text(said) == text
    assert answer.model == "gpt-6-luna"


async def test_make_env_gives_programs_all_they_need(platform: Platform, home: Path) -> None:
    line = f'eval "$({MAKE} env)"; .venv/bin/aichat models; env'
    done = await shell(home, line)
    assert (done.code, done.err) == (0, "")
    assert "gpt-6-luna" in done.out
    told = dict(one.split("=", 1) for one in done.out.splitlines() if one.startswith("AICHAT_"))
    assert (told["AICHAT_ENDPOINT"], told["AICHAT_API_KEY"]) == (platform.grpc, platform.key["api_key"])
    assert told["AICHAT_AUTH_URL"] == platform.auth_url
    headers = {"authorization": f"Bearer {told['AICHAT_SESSION_TOKEN']}"}
    async with httpx.AsyncClient(base_url=platform.http, headers=headers) as client:
        assert (await client.get("/v1/conversations")).status_code == 200


async def test_make_env_without_a_platform_says_so_and_gives_the_shell_nothing(home: Path) -> None:
    (home / ".sandbox/endpoints.json").rename(home / "away")
    done = await shell(home, f"{MAKE} env")
    (home / "away").rename(home / ".sandbox/endpoints.json")
    assert (done.code, done.out) == (2, "")
    assert "`make run` starts one" in done.err
