"""Promise 21: the previous version serves during a migration, and a version that does not fit does not start."""

from __future__ import annotations

import asyncio

from aichat.v1 import conversations_pb2
from aichat_sandbox.postgres import Postgres

from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.integration.conversations.asking import ask, started_of
from tests.integration.deployment.versions import Version, minted

MIGRATE = "run `python -m aichat_server migrate`"


async def talk(server: ServerUnderTest, key: ApiKey, conversation_id: str = "") -> str:
    """Runs a turn; returns the id of its conversation."""
    events = await ask(server, key, "Hello", conversation_id=conversation_id)
    assert events[-1].WhichOneof("event") == "completed"
    return started_of(events).conversation_id


async def messages(server: ServerUnderTest, key: ApiKey, conversation_id: str) -> int:
    request = conversations_pb2.ListMessagesRequest(conversation_id=conversation_id, page_size=100)
    answer = await server.conversations.ListMessages(request, metadata=key.metadata)
    return len(answer.messages)


async def test_the_previous_version_serves_during_and_after_the_migration(before: Version, now: Version) -> None:
    await before.done("aichat_server", "migrate")
    key = await minted(before, "--organization", "Before", "--plan", "team")
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
