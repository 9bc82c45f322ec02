"""The commands of docs/operations/data.md restore a dump, which has all that a new server needs."""

from __future__ import annotations

import asyncio
import re
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path

from aichat_sandbox.postgres import Postgres, installed, run_postgres
from aichat_server.core.database.database import Database, open_database
from aichat_server.core.database.role import check_role
from aichat_server.identity.domain.principals import Principal

from tests.fixtures.postgres import postgres_folder
from tests.fixtures.rows import owner_rows
from tests.integration.conversations.turns import exchange

ROOT = Path(__file__).resolve().parents[3]


def documented() -> list[list[str]]:
    """Returns the commands of the section, word by word."""
    section = (ROOT / "docs/operations/data.md").read_text().split("## Back up and restore")[1].split("\n## ")[0]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [shlex.split(line, comments=True) for block in blocks for line in block.splitlines()]


async def run(words: list[str], environment: Mapping[str, str], folder: Path) -> None:
    program, *arguments = (word.replace("$AICHAT_MIGRATION_DATABASE_URL", environment["URL"]) for word in words)
    command = sys.executable if program == "python" else str(installed() / "bin" / program)
    settings = {**environment, "AICHAT_MIGRATION_DATABASE_URL": environment["URL"]}
    process = await asyncio.create_subprocess_exec(
        command, *arguments, env=settings, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    told, _ = await process.communicate()
    assert process.returncode == 0, (words, told.decode())


async def test_a_dump_makes_the_platform_again(
    postgres: Postgres, database: Database, principal: Principal, server_settings: dict[str, str], tmp_path: Path
) -> None:
    answer = await exchange(database, principal)
    before = await owner_rows(postgres, principal.org_id)
    dump, *restore = documented()
    await run(dump, {**server_settings, "URL": postgres.owner_url}, tmp_path)
    with postgres_folder() as folder:
        async with run_postgres(folder) as other:
            settings = {**server_settings, "DATABASE_URL": other.app_url, "URL": other.owner_url}
            for words in restore:
                named = [str(principal.org_id) if word == "ID" else word for word in words]
                await run(named, settings, tmp_path)
            restored = await owner_rows(other, principal.org_id)
            assert restored.keys() == before.keys()
            # A job makes the sums at any time.
            assert {name: rows for name, rows in restored.items() if name != "open_hours"} == {
                name: rows for name, rows in before.items() if name != "open_hours"
            }
            async with open_database(other.app_url, pool_size=4) as opened:
                await check_role(opened)
                await exchange(opened, principal, conversation_id=answer.conversation_id)
