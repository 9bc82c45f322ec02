"""A month's invoices of many organisations: the cost of one, and the time for 100,000.

The real job, as the server's role, in one process. Each organisation has usage and nothing to pay, so that only our own
work is measured, and not the payment provider's.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from aichat_sandbox.postgres import run_postgres
from aichat_server.core.database.database import Database, open_database
from aichat_server.core.database.migrate import migrate
from aichat_server.core.periods import month
from aichat_server.invoices.service.monthly import Invoices
from aichat_server.usage.service.rollups import Rollups
from aichat_workers.registry import JOBS

from benchmarks.rollups import DAY, FILL, OPEN

MANY = 100_000
EVENTS_EACH = 5
MARCH = month(2026, 3)
LATER = datetime(2026, 6, 1, tzinfo=UTC)

_ORGANIZATIONS = """
    INSERT INTO aichat.organizations (org_id, name, created_at)
    SELECT md5('organization ' || n)::uuid, 'Organisation ' || n, $2 FROM generate_series(0, $1::integer - 1) AS n
"""


@dataclass(frozen=True, slots=True)
class FoundInvoices:
    """Seconds of one run."""

    organizations: int
    first: float
    again: float
    """Of a second run, which has nothing to do."""


async def measure_invoices(folder: Path, *, organizations: int) -> FoundInvoices:
    """Makes the invoices of a month for `organizations` organisations, and runs the job once more."""
    async with _filled(folder, organizations) as database:
        await Rollups(database).run(LATER)
        invoices = Invoices(database, None)
        seconds = []
        for _ in range(2):
            began = time.perf_counter()
            await invoices.run(MARCH, LATER)
            seconds.append(time.perf_counter() - began)
    return FoundInvoices(organizations, *seconds)


@asynccontextmanager
async def _filled(folder: Path, organizations: int) -> AsyncGenerator[Database, None]:
    async with run_postgres(folder / "invoices") as postgres:
        await migrate(postgres.owner_url, postgres.app_url)
        owner = await asyncpg.connect(postgres.owner_url)
        await owner.execute(_ORGANIZATIONS, organizations, DAY)
        await owner.execute(FILL, organizations, organizations * EVENTS_EACH, DAY)
        await owner.execute(OPEN)
        await owner.execute("VACUUM ANALYZE")
        await owner.close()
        async with open_database(postgres.app_url) as database:
            yield database


def print_invoices(found: FoundInvoices) -> None:
    """Prints the cost of one, and the job's time for many beside its limit."""
    limit = JOBS["invoices"].most_seconds
    print()
    print(f"| a month's invoices of {found.organizations:,} organisations | each | {MANY:,} of them | goal |")
    print("|---|---|---|---|")
    for name, seconds in (("made from the ledger", found.first), ("checked again", found.again)):
        each = seconds / found.organizations
        verdict = "met" if each * MANY <= limit else "missed"
        print(f"| {name} | {each * 1e3:.1f} ms | {each * MANY:,.0f} s | ≤ {limit:,.0f} s: {verdict} |")
