"""Promise 6: holds end or expire, and a failed check of the quotas admits turns, unless the settings refuse them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import Ending, GenerationKey, GenerationState
from aichat_server.generations.domain.stored import HoldTerms
from aichat_server.generations.storage.generations import GenerationStore
from aichat_server.generations.storage.orphans import list_orphans
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.organizations import list_organizations
from aichat_server.jobs.storage.backlog import read_backlog

from tests.fixtures.rows import connection, owner_rows
from tests.integration.conversations.turns import Begun, Turns, completed, failed, turn
from tests.integration.quotas.ledger import begin, books, costing, counted, holding, limit, refused, spend


async def _held(postgres: Postgres, principal: Principal) -> list[int]:
    query = "SELECT amount_nano_usd FROM aichat.holds WHERE org_id = $1"
    async with connection(postgres.owner_url) as owner:
        return [row[0] for row in await owner.fetch(query, principal.org_id)]


async def _expire(postgres: Postgres, principal: Principal) -> None:
    """Makes every lease and hold expire."""
    async with connection(postgres.owner_url) as owner:
        for table in ("leases", "holds"):
            await owner.execute(f"UPDATE aichat.{table} SET expires_at = now() WHERE org_id = $1", principal.org_id)  # noqa: S608


@asynccontextmanager
async def _unreadable(postgres: Postgres, table: str) -> AsyncGenerator[None, None]:
    """Forbids the server's role to read the table, so that what needs it fails."""
    async with connection(postgres.owner_url) as owner:
        await owner.execute(f"REVOKE SELECT ON aichat.{table} FROM aichat_app")  # noqa: S608
        try:
            yield
        finally:
            await owner.execute(f"GRANT SELECT ON aichat.{table} TO aichat_app")


async def test_a_hold_ends_with_its_turn_however_that_ends(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    for end in (completed, failed):
        begun = await begin(database, principal, 60)
        assert await _held(postgres, principal) == [60]
        await Turns(database).end(costing(end(principal, begun), 50))
        assert await _held(postgres, principal) == []


async def test_a_hold_that_leaked_blocks_nobody(postgres: Postgres, database: Database, principal: Principal) -> None:
    await limit(database, principal, 100)
    await begin(database, principal, 100)
    assert await refused(database, holding(turn(principal), 100))
    await _expire(postgres, principal)
    await begin(database, principal, 100)


async def test_a_hold_lasts_for_as_long_as_its_lease_is_renewed_and_some_time_more(
    postgres: Postgres, database: Database, principal: Principal, other: Principal
) -> None:
    await limit(database, principal, 100)
    mine, theirs = [await begin(database, who, 60) for who in (principal, other)]
    await _expire(postgres, principal)
    keys = [GenerationKey(principal.org_id, mine.generation_id), GenerationKey(other.org_id, theirs.generation_id)]
    await GenerationStore(database, HoldTerms()).renew([*keys, GenerationKey(principal.org_id, uuid4())])
    assert await refused(database, holding(turn(principal), 60))
    async with connection(postgres.owner_url) as owner:
        rows = await owner.fetch(
            "SELECT l.org_id, l.expires_at > now() AS leased, h.expires_at - l.expires_at AS more "
            "FROM aichat.leases AS l JOIN aichat.holds AS h USING (org_id, generation_id) "
            "WHERE l.org_id = ANY ($1)",
            [principal.org_id, other.org_id],
        )
    assert {row["org_id"] for row in rows if row["leased"]} == {principal.org_id, other.org_id}
    assert all(row["more"] >= timedelta(seconds=300) for row in rows)


async def test_a_tenants_leases_are_renewed_by_nobody_who_names_another(
    postgres: Postgres, database: Database, principal: Principal, other: Principal
) -> None:
    begun = await begin(database, principal, 60)
    await _expire(postgres, principal)
    await GenerationStore(database, HoldTerms()).renew([GenerationKey(other.org_id, begun.generation_id)])
    async with database.platform_session() as session:
        orphans = await list_orphans(session, datetime.now(UTC), 100_000, None)
    assert GenerationKey(principal.org_id, begun.generation_id) in {orphan.key for orphan in orphans}


async def test_a_turn_that_outlives_its_hold_is_charged_in_full_if_no_quota_is_hard(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    await limit(database, principal, None, soft=100)
    late = await begin(database, principal, 90)
    await _expire(postgres, principal)
    await Turns(database).end(costing(completed(principal, late), 90))
    assert await counted(postgres, principal.org_id) == {("organization", "month"): 90}


@pytest.mark.parametrize("end", [completed, failed])
async def test_a_turn_that_outlives_its_hold_never_brings_the_charge_above_a_hard_quota(
    postgres: Postgres, database: Database, principal: Principal, end: Callable[[Principal, Begun], Ending]
) -> None:
    await limit(database, principal, 100)
    late = await begin(database, principal, 90)
    await _expire(postgres, principal)
    await spend(database, principal, 50)
    running = await begin(database, principal, 30)
    await Turns(database).end(costing(end(principal, late), 90))
    # The other one's hold is not released either.
    assert await counted(postgres, principal.org_id) == {("organization", "month"): 70}
    await Turns(database).end(costing(completed(principal, running), 30))
    assert await counted(postgres, principal.org_id) == {("organization", "month"): 100}
    assert sum(event["cost_nano_usd"] for event in await books(postgres, principal.org_id)) == 100


async def test_an_orphan_ends_only_once_its_lease_is_over(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    begun = await begin(database, principal, 60)
    lost = failed(principal, begun, "so far", state=GenerationState.INTERRUPTED)
    assert await Turns(database).end(lost, orphan=True) is None
    assert await _held(postgres, principal) == [60]
    await _expire(postgres, principal)
    assert await Turns(database).end(lost, orphan=True) is not None
    assert await _held(postgres, principal) == []


async def test_a_turn_that_outlives_its_hold_is_charged_at_most_that(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    await limit(database, principal, 100)
    begun = await begin(database, principal, 60)
    await _expire(postgres, principal)
    await Turns(database).end(costing(failed(principal, begun), 90))
    assert await counted(postgres, principal.org_id) == {("organization", "month"): 60}


@pytest.mark.parametrize("table", ["quotas", "quota_usage", "holds"])
async def test_a_failed_check_admits_the_turn_and_marks_it(
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
    await Turns(database).end(costing(completed(principal, begun), 50))
    assert await counted(postgres, principal.org_id) == {("organization", "month"): 140}
    assert await refused(database, holding(turn(principal), 1))


async def test_a_failed_check_refuses_if_the_settings_say_so(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    await limit(database, principal, 100)
    strict, asked = Turns(database, HoldTerms(fail_closed=True)), holding(turn(principal), 50)
    async with _unreadable(postgres, "quota_usage"):
        with pytest.raises(AichatError) as caught:
            await strict.begin(asked)
    assert caught.value.reason is Reason.QUOTA_CHECK_FAILED
    assert await owner_rows(postgres, principal.org_id) == {}
    await strict.begin(asked)


async def test_a_charge_that_fails_is_in_the_ledger_and_marked(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    await limit(database, principal, 100)
    begun = await begin(database, principal, 50)
    async with _unreadable(postgres, "quota_usage"):
        assert await Turns(database).end(costing(completed(principal, begun), 50)) is not None
    (generation,) = (await owner_rows(postgres, principal.org_id))["generations"]
    assert generation["quota_unchecked"]
    assert len(await books(postgres, principal.org_id)) == 1
    await limit(database, principal, 100)
    assert await refused(database, holding(turn(principal), 51))
    assert await refused(database, holding(turn(principal), 50)) is None


async def test_the_count_of_holds_is_of_holds_whatever_their_leases_say(
    database: Database, principal: Principal, postgres: Postgres
) -> None:
    async def look() -> tuple[int, int, int]:
        async with database.platform_session() as session:
            backlog = await read_backlog(session, datetime.now(UTC))
            # The work list still spans all tenants, not only the last one.
            assert principal.org_id in await list_organizations(session, None, 10_000)
        return backlog.open_holds, backlog.expired_holds, backlog.orphans

    before = await look()
    turns = [await begin(database, principal, 5) for _ in range(3)]
    ids = [begun.generation_id for begun in turns]
    async with connection(postgres.owner_url) as owner:
        await owner.execute("UPDATE aichat.holds SET expires_at = now() WHERE generation_id = $1", ids[0])
        await owner.execute("UPDATE aichat.leases SET expires_at = now() WHERE generation_id = $1", ids[1])
    after = await look()
    assert [now - then for now, then in zip(after, before, strict=True)] == [2, 1, 1]
