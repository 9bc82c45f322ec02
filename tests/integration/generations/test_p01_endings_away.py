"""Promise 1: an answer whose end cannot be stored is stored later, or its streams report that it was not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.app.stores import build_orphans
from aichat_server.core.database.database import Database

from tests.fixtures.rows import connection, owner_rows
from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.integration.conversations.asking import (
    ask,
    eventually,
    history,
    refusal,
    script,
    started_of,
    stream,
    text_of,
)
from tests.integration.workers.conftest import expire

SECONDS = 60
Times = Callable[[], Awaitable[int]]


@asynccontextmanager
async def refusing_ends(postgres: Postgres, key: ApiKey, code: str) -> AsyncGenerator[Times, None]:
    """Makes Postgres fail with this SQLSTATE when a turn of the key's organisation ends; counts the failures."""
    name = f"refuse_{UUID(key.organization_id).hex}"
    async with connection(postgres.owner_url) as owner:
        # A sequence keeps its count when its transaction rolls back.
        await owner.execute(f"""
            CREATE SEQUENCE {name};
            GRANT USAGE ON SEQUENCE {name} TO aichat_app;
            CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$
            BEGIN
                PERFORM nextval('public.{name}');
                RAISE EXCEPTION USING ERRCODE = '{code}', MESSAGE = 'told by the test';
            END
            $$;
            CREATE TRIGGER {name} BEFORE UPDATE ON aichat.generations FOR EACH ROW
                WHEN (NEW.org_id = '{key.organization_id}' AND NEW.state <> 'running') EXECUTE FUNCTION {name}();
        """)

        async def times() -> int:
            return int(await owner.fetchval(f"SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {name}"))  # noqa: S608

        try:
            yield times
        finally:
            await owner.execute(
                f"DROP TRIGGER {name} ON aichat.generations; DROP FUNCTION {name}; DROP SEQUENCE {name}"
            )


@pytest.mark.parametrize("code", ["25006", "55P03", "40P01", "40001", "57014", "53300", "58030"])
async def test_a_temporary_failure_is_waited_for(
    server: ServerUnderTest, api_key: ApiKey, postgres: Postgres, code: str
) -> None:
    async with asyncio.timeout(SECONDS):
        async with refusing_ends(postgres, api_key, code) as times:
            asking = asyncio.create_task(ask(server, api_key, script(deltas=["Four"])))
            await eventually(times, lambda count: count > 0)
        events = await asking
    answer = events[-1].completed.message
    assert (text_of(events), answer.parts[0].text.text) == ("Four", "Four")
    assert (await history(server, api_key, started_of(events).conversation_id))[1] == answer


async def test_a_lasting_failure_is_reported_and_the_answer_ended_later(
    server: ServerUnderTest, api_key: ApiKey, postgres: Postgres, database: Database
) -> None:
    org_id = UUID(api_key.organization_id)
    async with asyncio.timeout(SECONDS), refusing_ends(postgres, api_key, "P0001") as times:
        failed = await refusal(stream(server, api_key, script(deltas=["Four"])))
        assert (failed.reason, text_of(failed.seen)) == ("INTERNAL", "Four")
        assert "told by the test" not in failed.message
        assert await times() > 0
    await expire(postgres, org_id)
    await build_orphans(database, None, None, rescue_seconds=600).reap(datetime.now(UTC))
    (generation,) = (await owner_rows(postgres, org_id))["generations"]
    assert (generation["state"], generation["error_reason"]) == ("interrupted", "SERVER_LOST")
