"""A month's invoices of many organisations: what one costs, and how long 100,000 take.

The job as it runs, as the server's role, in one process. Each organisation has used something and has nothing to pay,
so that what is measured is our own part, and not how long the payment provider takes.
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
    """Seconds, of one run."""

    organizations: int
    first: float
    again: float
    """Of a second run, which finds nothing to do."""


async def measure_invoices(folder: Path, *, organizations: int) -> FoundInvoices:
    """Makes a month's invoices of `organizations` organisations, and looks at them once more."""
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
    """The cost of one, and how long the job would take for many, beside what it may."""
    limit = JOBS["invoices"].most_seconds
    print()
    print(f"| a month's invoices of {found.organizations:,} organisations | each | {MANY:,} of them | goal |")
    print("|---|---|---|---|")
    for name, seconds in (("made of the books", found.first), ("looked at again", found.again)):
        each = seconds / found.organizations
        verdict = "met" if each * MANY <= limit else "missed"
        print(f"| {name} | {each * 1e3:.1f} ms | {each * MANY:,.0f} s | ≤ {limit:,.0f} s: {verdict} |")
