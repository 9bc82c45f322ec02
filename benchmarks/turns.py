"""Measures the database's work for one turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import asyncpg

from benchmarks.deployment import Deployment
from benchmarks.processes import cpu_seconds
from benchmarks.tables import Turns

_WITHOUT_BOOKS = """
CREATE OR REPLACE FUNCTION aichat.book(
    p_org_id uuid, p_generation_id uuid, p_price_version timestamptz, p_first_delta_ms integer, p_at timestamptz
) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
END
$$
"""
_BOOKS = "SELECT pg_get_functiondef('aichat.book'::regproc)"
_CONNECTIONS = "SELECT pid FROM pg_stat_activity WHERE usename = 'aichat_app'"

HoldTurns = Callable[[], Awaitable[object]]


async def measure_turns(deployment: Deployment, hold_turns: HoldTurns, *, turns: int, rounds: int) -> Turns:
    """Counts a turn's round trips, and compares its cost with and without its entry in the ledger, in turns.

    `hold_turns` runs `turns` turns on the target `alone`, while nothing else uses the database.
    """
    owner = await asyncpg.connect(deployment.postgres.owner_url)
    try:
        books = await owner.fetchval(_BOOKS)
        await hold_turns()
        before = deployment.wire.round_trips
        await hold_turns()
        measured = Turns(round_trips=(deployment.wire.round_trips - before) / turns)
        for _ in range(rounds):
            for function, seconds in ((_WITHOUT_BOOKS, measured.cpu_without_ledger), (books, measured.cpu)):
                await owner.execute(function)
                begun = await database_seconds(owner)
                await hold_turns()
                seconds.append((await database_seconds(owner) - begun) / turns)
    finally:
        await owner.close()
    return measured


async def database_seconds(owner: asyncpg.Connection[asyncpg.Record]) -> float:
    """Returns the seconds of CPU that the server's connections to the database have used."""
    return sum([cpu_seconds(row["pid"]) for row in await owner.fetch(_CONNECTIONS)])
