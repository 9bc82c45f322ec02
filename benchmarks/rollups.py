"""Hourly sums of many organisations' usage, beside the minimum: one INSERT … SELECT … GROUP BY.

The minimal statement runs as the superuser, without row-level security, over all organisations at once, and ignores
open hours and late turns. The other is the real job, as the server's role.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from aichat_sandbox.postgres import run_postgres
from aichat_server.core.database.database import open_database
from aichat_server.core.database.migrate import migrate
from aichat_server.usage.service.rollups import Rollups

GOAL = 1.3
ORGANIZATIONS = 1000
DAY = datetime(2026, 3, 10, tzinfo=UTC)
LATER = DAY + timedelta(days=2)

# Organisations ($1) of five members who use three models, each a little of everything all day long.
FILL = """
    INSERT INTO aichat.usage_events (
        org_id, generation_id, conversation_id, member_id, provider, model, price_version, input_tokens,
        cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens, reasoning_tokens, web_searches,
        raw_usage, quality, estimate_reason, cost_nano_usd, error_reason, first_delta_ms, duration_ms, occurred_at
    )
    SELECT
        md5('organization ' || n % $1)::uuid, md5('generation ' || n)::uuid, md5('conversation ' || n / 5000)::uuid,
        md5('member ' || n / $1 % 5)::uuid, 'vendor-' || n / $1 % 3, 'model-' || n / $1 % 3, 'epoch', n % 1000, 10, 5,
        0, n % 500, 3, 0, '{"input_tokens": 60, "output_tokens": 100}',
        CASE WHEN n % 50 = 0 THEN 'estimated' ELSE 'exact' END,
        CASE WHEN n % 50 = 0 THEN 'PROVIDER_TIMEOUT' END, n % 1000000,
        CASE WHEN n % 50 = 0 THEN 'PROVIDER_TIMEOUT' END, 200 + n % 1000, 2000 + n % 10000,
        $3::timestamptz + n * interval '1 day' / $2::bigint
    FROM generate_series(0::bigint, $2::bigint - 1) AS n
"""
OPEN = """
    INSERT INTO aichat.open_hours
    SELECT DISTINCT org_id, date_trunc('hour', occurred_at, 'UTC') FROM aichat.usage_events
"""
_BARE = """
    INSERT INTO bare
    SELECT
        org_id, date_trunc('hour', occurred_at, 'UTC'), provider, model, member_id,
        coalesce(key_id, '00000000-0000-0000-0000-000000000000'), coalesce(error_reason, ''), count(*),
        count(*) FILTER (WHERE quality = 'estimated'), sum(input_tokens), sum(cache_read_tokens),
        sum(cache_write_tokens), sum(cache_write_1h_tokens), sum(output_tokens), sum(reasoning_tokens),
        sum(web_searches), sum(cost_nano_usd),
        array_agg(first_delta_ms), array_agg(duration_ms)
    FROM aichat.usage_events GROUP BY 1, 2, 3, 4, 5, 6, 7
"""
_VERSIONS = "SELECT md5(string_agg(ctid::text || xmin::text, ' ' ORDER BY ctid)) FROM aichat.usage_hourly"


@dataclass(frozen=True, slots=True)
class Found:
    """Seconds, one per round, and what a second run changed."""

    events: int
    bare: list[float]
    job: list[float]
    again_changed: bool


async def measure_rollups(folder: Path, *, events: int, rounds: int) -> Found:
    """Sums `events` events in each round, with both programs in turn."""
    bare, job = [], []
    async with run_postgres(folder / "postgres") as postgres:
        await migrate(postgres.owner_url, postgres.app_url)
        owner = await asyncpg.connect(postgres.owner_url)
        await owner.execute(FILL, ORGANIZATIONS, events, DAY)
        await owner.execute("VACUUM ANALYZE")
        async with open_database(postgres.app_url) as database:
            rollups = Rollups(database)
            for _ in range(rounds):
                await owner.execute("DROP TABLE IF EXISTS bare")
                await owner.execute("CREATE TABLE bare (LIKE aichat.usage_hourly INCLUDING ALL)")
                await owner.execute("CHECKPOINT")
                bare.append(await _seconds(lambda: owner.execute(_BARE)))
                await owner.execute("TRUNCATE aichat.usage_hourly")
                await owner.execute(OPEN)
                await owner.execute("CHECKPOINT")
                job.append(await _seconds(lambda: rollups.run(LATER)))
            written = await owner.fetchval(_VERSIONS)
            await owner.execute(OPEN)
            await rollups.run(LATER)
            again = await owner.fetchval(_VERSIONS)
        await owner.close()
    return Found(events, bare, job, again != written)


async def _seconds(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def print_rollups(found: Found) -> None:
    """Prints both side by side; the ratio is of medians."""
    bare, job = statistics.median(found.bare), statistics.median(found.job)
    met = "met" if job / bare <= GOAL else "missed"
    print()
    print(
        f"| {found.events:,} usage events of {ORGANIZATIONS:,} organisations, by the hour | seconds | × bare | goal |"
    )
    print("|---|---|---|---|")
    print(f"| bare INSERT … SELECT … GROUP BY, by the superuser | {bare:.2f} | 1.00 | |")
    print(f"| the job, under row-level security | {job:.2f} | {job / bare:.2f} | ≤ {GOAL:g}: {met} |")
    print(f"| rows that a second run changes | {'some' if found.again_changed else 'none'} | | none |")
