"""Turns, quotas and readers for the tests of ledger and quotas."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

import asyncpg
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.generations.domain.generation import Ending
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.pricing import Hold
from aichat_server.quotas.domain import QuotaName, QuotaPeriod, QuotaScope
from aichat_server.quotas.service import Quotas

from tests.fixtures.rows import connection
from tests.integration.conversations.turns import Asked, Begun, Turns, completed, turn


def holding(asked: Asked, held: int) -> Asked:
    """Returns the turn with this hold."""
    return replace(asked, hold=Hold(NanoUsd(held), NanoUsd(0), None))


def costing(end: Ending, cost: int) -> Ending:
    """Returns the end with this cost."""
    return replace(end, cost=NanoUsd(cost))


async def begin(database: Database, principal: Principal, held: int) -> Begun:
    """Begins a turn with this hold."""
    return await Turns(database).begin(holding(turn(principal), held))


async def spend(database: Database, principal: Principal, cost: int) -> None:
    """Runs a whole turn with this hold and cost."""
    begun = await begin(database, principal, cost)
    await Turns(database).end(costing(completed(principal, begun), cost))


async def refused(database: Database, asked: Asked) -> AichatError | None:
    """Returns the quota's refusal of the turn; None if the turn has begun."""
    try:
        await Turns(database).begin(asked)
    except AichatError as error:
        if error.reason is Reason.QUOTA_EXCEEDED:
            return error
        raise
    return None


async def limit(
    database: Database,
    principal: Principal,
    hard: int | None,
    *,
    soft: int | None = None,
    scope: QuotaScope = QuotaScope.ORGANIZATION,
    period: QuotaPeriod = QuotaPeriod.MONTH,
) -> QuotaName:
    """Sets a quota of the principal."""
    ids: dict[QuotaScope, UUID | None] = {
        QuotaScope.ORGANIZATION: principal.org_id,
        QuotaScope.MEMBER: principal.member_id,
        QuotaScope.KEY: principal.key_id,
    }
    owner = ids[scope]
    assert owner is not None
    name = QuotaName(scope, owner, period)
    hard_limit = None if hard is None else NanoUsd(hard)
    assert await Quotas(database).set(principal.org_id, name, hard_limit, None if soft is None else NanoUsd(soft))
    return name


async def books(postgres: Postgres, org_id: UUID) -> list[asyncpg.Record]:
    """Returns an organisation's usage events, in order."""
    query = "SELECT * FROM aichat.usage_events WHERE org_id = $1 ORDER BY occurred_at"
    async with connection(postgres.owner_url) as owner:
        return await owner.fetch(query, org_id)


async def counted(postgres: Postgres, org_id: UUID) -> dict[tuple[str, str], int]:
    """Returns the counters' charges, by scope and period."""
    async with connection(postgres.owner_url) as owner:
        rows = await owner.fetch("SELECT * FROM aichat.quota_usage WHERE org_id = $1", org_id)
    return {(row["scope"], row["period"]): row["charged_nano_usd"] for row in rows}
