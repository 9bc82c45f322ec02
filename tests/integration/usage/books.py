"""A ledger with entries chosen by a test, and its sums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias
from uuid import UUID, uuid4

import asyncpg
from aichat_sandbox.postgres import Postgres
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.service.organizations import MintedKey
from google.protobuf.timestamp_pb2 import Timestamp

from tests.fixtures.rows import connection

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
CONVERSATION = UUID(int=7)
NOON = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = 24 * HOUR
LATER = datetime(2035, 1, 1, tzinfo=UTC)
"""A moment after every hour that the tests write to."""

_EVENT = """
    INSERT INTO aichat.usage_events (
        org_id, generation_id, conversation_id, member_id, key_id, provider, model, price_version, input_tokens,
        cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, web_searches,
        raw_usage, quality, estimate_reason, cost_nano_usd, error_reason, first_delta_ms, duration_ms, occurred_at
    ) VALUES ($1, $2, $3, $4, $5, $6, $7, 'epoch', $8, 1, 2, 4, $9, 3, 5, '{}', $10, $11, $12, $13, $14, $15, $16)
"""
_FAILURE = """
    INSERT INTO aichat.failures (
        org_id, generation_id, conversation_id, member_id, key_id, provider, model, error_reason, occurred_at
    ) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_SUMS = """
    coalesce(sum({turns}), 0)::bigint, coalesce(sum(input_tokens), 0)::bigint, coalesce(sum(output_tokens), 0)::bigint,
    coalesce(sum(reasoning_tokens), 0)::bigint, coalesce(sum(cost_nano_usd), 0)::bigint
"""


@dataclass(frozen=True)
class Entry:
    """One turn."""

    at: datetime = NOON
    cost: int = 1_000
    model: str = "model-1"
    provider: str = "vendor"
    member: UUID | None = None
    key: UUID | None = None
    conversation: UUID = CONVERSATION
    tokens: int = 10
    estimated: bool = False
    error: str | None = None
    used: bool = True
    """False: a failure that used nothing."""
    first_delta_ms: int | None = 100
    duration_ms: int = 1_000
    generation: UUID = field(default_factory=uuid4)


def member(key: MintedKey) -> Principal:
    """Returns the caller with the key."""
    return Principal(key.org_id, key.member_id, key.key_id)


def stamp(moment: datetime) -> Timestamp:
    """Returns a moment in the contract's form."""
    proto = Timestamp()
    proto.FromDatetime(moment)
    return proto


async def write(owner: Connection, principal: Principal, entries: Iterable[Entry]) -> None:
    """Does what aichat.book does, at the moments of the entries."""
    for entry in entries:
        await owner.execute("SELECT aichat.open_hour($1, $2)", principal.org_id, entry.at)
        whose = (principal.org_id, entry.generation, entry.conversation, entry.member or principal.member_id, entry.key)
        which = (*whose, entry.provider, entry.model)
        if not entry.used:
            await owner.execute(_FAILURE, *which, entry.error, entry.at)
            continue
        quality = ("estimated", "USAGE_MISSING") if entry.estimated else ("exact", None)
        times = (entry.error, entry.first_delta_ms, entry.duration_ms, entry.at)
        await owner.execute(_EVENT, *which, entry.tokens, 2 * entry.tokens, *quality, entry.cost, *times)


async def add(postgres: Postgres, principal: Principal, *entries: Entry) -> None:
    """Adds entries to the ledger, in one transaction."""
    async with connection(postgres.owner_url) as owner, owner.transaction():
        await write(owner, principal, entries)


async def ledger_sum(postgres: Postgres, principal: Principal) -> tuple[int, ...]:
    """Returns turns, tokens and nano-dollars by the ledger."""
    query = f"SELECT {_SUMS.format(turns='1')} FROM aichat.usage_events WHERE org_id = $1"  # noqa: S608
    failures = "SELECT count(*) FROM aichat.failures WHERE org_id = $1"
    async with connection(postgres.owner_url) as owner:
        (row,) = await owner.fetch(query, principal.org_id)
        turns, *sums = row
        return (turns + await owner.fetchval(failures, principal.org_id), *sums)


async def hourly_sum(postgres: Postgres, principal: Principal) -> tuple[int, ...]:
    """Returns the same by the hourly sums."""
    query = f"SELECT {_SUMS.format(turns='turns')} FROM aichat.usage_hourly WHERE org_id = $1"  # noqa: S608
    async with connection(postgres.owner_url) as owner:
        return tuple(await owner.fetchrow(query, principal.org_id) or ())


async def hourly_rows(postgres: Postgres, principal: Principal) -> dict[tuple[Any, ...], tuple[str, str]]:
    """Returns the version of every row, by its key; a row that was written again has another one."""
    query = """
        SELECT hour, model, member_id, key_id, error_reason, ctid::text, xmin::text FROM aichat.usage_hourly
        WHERE org_id = $1 ORDER BY ctid
    """
    async with connection(postgres.owner_url) as owner:
        rows: Sequence[asyncpg.Record] = await owner.fetch(query, principal.org_id)
    return {tuple(row)[:5]: (row[5], row[6]) for row in rows}


async def open_hours(postgres: Postgres, principal: Principal) -> list[datetime]:
    """Returns the hours on the list of hours to sum."""
    async with connection(postgres.owner_url) as owner:
        query = "SELECT hour FROM aichat.open_hours WHERE org_id = $1 ORDER BY hour"
        return [row["hour"] for row in await owner.fetch(query, principal.org_id)]
