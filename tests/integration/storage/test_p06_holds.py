"""Promise 6: holds end or expire, and a check of the quotas that fails lets turns pass, unless it is told not to."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.domain.errors import AichatError, Reason
from aichat_server.domain.identity import Principal
from aichat_server.storage.database import Database, open_database

from tests.integration.storage.ledger import begin, books, costing, counted, holding, limit, refused, spend
from tests.integration.storage.rows import connection, owner_rows
from tests.integration.storage.turns import completed, failed, turn


async def _held(postgres: Postgres, principal: Principal) -> list[int]:
    query = "SELECT amount_nano_usd FROM aichat.holds WHERE org_id = $1"
    async with connection(postgres.owner_url) as owner:
        return [row[0] for row in await owner.fetch(query, principal.org_id)]


async def _expire(postgres: Postgres, principal: Principal) -> None:
    """Lets the time of every hold be over."""
    async with connection(postgres.owner_url) as owner:
        await owner.execute("UPDATE aichat.holds SET expires_at = now() WHERE org_id = $1", principal.org_id)


@asynccontextmanager
async def _unreadable(postgres: Postgres, table: str) -> AsyncGenerator[None, None]:
    """The server's role may not read the table meanwhile, so that what needs it fails."""
    async with connection(postgres.owner_url) as owner:
        await owner.execute(f"REVOKE SELECT ON aichat.{table} FROM aichat_app")  # noqa: S608
        try:
            yield
        finally:
            await owner.execute(f"GRANT SELECT ON aichat.{table} TO aichat_app")


async def test_a_hold_goes_with_its_turn_however_that_ends(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    for end in (completed, failed):
        begun = await begin(database, principal, 60)
        assert await _held(postgres, principal) == [60]
        await database.turns.end(costing(end(principal, begun), 50))
        assert await _held(postgres, principal) == []


async def test_a_hold_that_leaked_blocks_nobody(postgres: Postgres, principal: Principal) -> None:
    async with open_database(postgres.app_url, hold_seconds=0.001) as hasty:
        await limit(hasty, principal, 100)
        await begin(hasty, principal, 100)
        await begin(hasty, principal, 100)


async def test_a_turn_that_outlives_its_hold_is_charged_at_most_that(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    await limit(database, principal, 100)
    begun = await begin(database, principal, 60)
    await _expire(postgres, principal)
    await database.turns.end(costing(failed(principal, begun), 90))
    assert await counted(postgres, principal.org_id) == {("organization", "month"): 60}


@pytest.mark.parametrize("table", ["quotas", "quota_usage", "holds"])
async def test_a_check_that_fails_lets_the_turn_pass_marked(
    postgres: Postgres, database: Database, principal: Principal, table: str
) -> None:
    await limit(database, principal, 100)
    await spend(database, principal, 90)
    async with _unreadable(postgres, table):
        begun = await begin(database, principal, 50)
    assert begun.quota_failure is not None
    assert table in begun.quota_failure
    marks = [row["quota_unchecked"] for row in (await owner_rows(postgres, principal.org_id))["generations"]]
    assert sorted(marks) == [False, True]
    await database.turns.end(costing(completed(principal, begun), 50))
    assert await counted(postgres, principal.org_id) == {("organization", "month"): 140}
    assert await refused(database, holding(turn(principal), 1))


async def test_a_check_that_fails_refuses_where_it_is_told_to(postgres: Postgres, principal: Principal) -> None:
    async with open_database(postgres.app_url, quota_fail_closed=True) as strict:
        await limit(strict, principal, 100)
        async with _unreadable(postgres, "quota_usage"):
            with pytest.raises(AichatError) as caught:
                await begin(strict, principal, 50)
        assert caught.value.reason is Reason.QUOTA_CHECK_FAILED
        assert await owner_rows(postgres, principal.org_id) == {}
        await begin(strict, principal, 50)


async def test_a_charge_that_fails_is_on_the_books_and_marked(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    await limit(database, principal, 100)
    begun = await begin(database, principal, 50)
    async with _unreadable(postgres, "quota_usage"):
        assert await database.turns.end(costing(completed(principal, begun), 50)) is not None
    (generation,) = (await owner_rows(postgres, principal.org_id))["generations"]
    assert generation["quota_unchecked"]
    assert len(await books(postgres, principal.org_id)) == 1
    await limit(database, principal, 100)
    assert await refused(database, holding(turn(principal), 51))
    assert await refused(database, holding(turn(principal), 50)) is None
