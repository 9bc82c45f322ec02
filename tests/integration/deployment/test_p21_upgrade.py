"""Promise 21: the previous version serves during a migration, and a version that does not fit does not start."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
from aichat.v1 import conversations_pb2
from aichat_sandbox.ports import free_ports
from aichat_sandbox.postgres import Postgres, run_postgres

from tests.fixtures.postgres import postgres_folder
from tests.fixtures.server import ApiKey, ServerUnderTest, is_serving, start
from tests.integration.chat.asking import ask
from tests.integration.storage.rows import connection

ROOT = Path(__file__).resolve().parents[3]
# The previous landing, and its newest migration.
BEFORE = "a3aa6b54503b384a20dc36fb2a6f2f4cc5ec04ca"
PARTS = ("server/src", "server/migrations", "workers/src", "gen/python")
MIGRATE = "run `python -m aichat_server migrate`"


@dataclass(frozen=True)
class Version:
    """A version of the code, with its settings."""

    environment: Mapping[str, str]
    folder: Path

    async def run(self, *command: str) -> tuple[int, str, str]:
        """Runs a command; returns its exit code and its output."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *command),
            cwd=self.folder,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def done(self, *command: str) -> str:
        """Returns the output of a command that succeeds."""
        code, out, err = await self.run(*command)
        assert code == 0, err
        return out

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[ServerUnderTest, None]:
        """Runs a server of this version."""
        [port] = free_ports(1)
        address = f"127.0.0.1:{port}"
        process = await start(self.folder, {**self.environment, "AICHAT_LISTEN": address})
        try:
            async with grpc.aio.insecure_channel(address) as channel:
                assert await is_serving(channel)
                yield ServerUnderTest(process, [address], channel, self.folder / "log")
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


@pytest.fixture(scope="module")
async def empty() -> AsyncGenerator[Postgres, None]:
    """A Postgres without migrations."""
    with postgres_folder() as folder:
        async with run_postgres(folder) as server:
            yield server


@pytest.fixture(scope="module")
def now(empty: Postgres, server_settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Version:
    """This version, with a database of its own."""
    urls = {"DATABASE_URL": empty.app_url, "AICHAT_MIGRATION_DATABASE_URL": empty.owner_url}
    return Version({**server_settings, **urls}, tmp_path_factory.mktemp("now"))


@pytest.fixture(scope="module")
def before(now: Version, tmp_path_factory: pytest.TempPathFactory) -> Version:
    """The previous version, from git, with the same database."""
    folder = tmp_path_factory.mktemp("before")
    command = ["git", "archive", BEFORE, *PARTS]
    archive = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        # The archive is our own; filters came with Python 3.11.4.
        packed.extractall(folder)  # noqa: S202
    path = ":".join(str(folder / part) for part in PARTS if part != "server/migrations")
    return Version({**now.environment, "PYTHONPATH": path}, folder)


async def minted(version: Version) -> ApiKey:
    command = ("aichat_server", "keys", "mint", "--organization", "Before", "--plan", "team", "--json")
    key = json.loads(await version.done(*command))
    return ApiKey(key["organization_id"], key["member_id"], key["key_id"], key["api_key"])


async def talk(server: ServerUnderTest, key: ApiKey, conversation_id: str = "") -> str:
    """Runs a turn; returns the id of its conversation."""
    events = await ask(server, key, "Hello", conversation_id=conversation_id)
    assert events[-1].WhichOneof("event") == "completed"
    return events[0].started.conversation_id


async def messages(server: ServerUnderTest, key: ApiKey, conversation_id: str) -> int:
    request = conversations_pb2.ListMessagesRequest(conversation_id=conversation_id, page_size=100)
    answer = await server.conversations.ListMessages(request, metadata=key.metadata)
    return len(answer.messages)


async def test_the_version_before_serves_on_while_and_after_the_schema_is_migrated(
    before: Version, now: Version
) -> None:
    await before.done("aichat_server", "migrate")
    key = await minted(before)
    async with before.serving() as old:
        conversation_id, turns = await talk(old, key), 1
        for command in (("aichat_server", "serve"), ("aichat_workers", "run", "orphans")):
            code, _, said = await now.run(*command)
            assert (code, MIGRATE in said) == (2, True), said

        migrating = asyncio.create_task(now.done("aichat_server", "migrate"))
        while not migrating.done():
            await talk(old, key, conversation_id)
            turns += 1
        await migrating
        await talk(old, key, conversation_id)
        async with now.serving() as new:
            # Both at once, in one conversation.
            await talk(new, key, conversation_id)
            await talk(old, key, conversation_id)
            assert await messages(new, key, conversation_id) == 2 * (turns + 3)
            assert await messages(old, key, conversation_id) == 2 * (turns + 3)
        # And back.
        await talk(old, key, conversation_id)
        assert await messages(old, key, conversation_id) == 2 * (turns + 4)
    for job in ("orphans", "rollups"):
        await before.done("aichat_workers", "run", job)
        await now.done("aichat_workers", "run", job)
    await now.done("aichat_server", "usage", "verify", "--organization-id", key.organization_id)


async def test_a_database_that_is_too_new_is_refused_by_servers_workers_and_migrate(
    now: Version, empty: Postgres
) -> None:
    await now.done("aichat_server", "migrate")
    async with connection(empty.owner_url) as owner:
        revision = await owner.fetchval("SELECT version_num FROM aichat.alembic_version")
        await owner.execute("UPDATE aichat.alembic_version SET version_num = '9999'")
        for command in (("aichat_server", "serve"), ("aichat_workers", "run", "orphans"), ("aichat_server", "migrate")):
            code, _, said = await now.run(*command)
            assert code == 2
            assert "9999" in said
            assert "python -m aichat_server migrate" in said
            assert "Traceback" not in said
        # A newer version also lists the versions that work with its schema.
        await owner.execute("INSERT INTO aichat.schema_versions VALUES (DEFAULT, '9999', 'another', $1)", revision)
        await now.done("aichat_workers", "run", "orphans")
        await owner.execute("UPDATE aichat.schema_versions SET oldest_revision = '9998' WHERE revision = '9999'")
        assert (await now.run("aichat_workers", "run", "orphans"))[0] == 2
        await owner.execute("DELETE FROM aichat.schema_versions WHERE revision = '9999'")
        await owner.execute("UPDATE aichat.alembic_version SET version_num = $1", revision)
    await now.done("aichat_workers", "run", "orphans")


async def test_an_older_migrate_leaves_newer_functions_alone(now: Version, empty: Postgres) -> None:
    await now.done("aichat_server", "migrate")
    async with connection(empty.owner_url) as owner:
        await owner.execute(
            "INSERT INTO aichat.schema_versions (revision, digest, oldest_revision) "
            "SELECT revision, 'newer functions', oldest_revision FROM aichat.schema_versions LIMIT 1"
        )
        code, _, said = await now.run("aichat_server", "migrate")
        assert (code, "a newer version than this one" in said) == (2, True), said
        await owner.execute("DELETE FROM aichat.schema_versions WHERE digest = 'newer functions'")
    await now.done("aichat_server", "migrate")
