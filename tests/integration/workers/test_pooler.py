"""Jobs through PgBouncer in transaction mode, with only three connections."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
from aichat_sandbox.ports import HOST, free_ports
from aichat_sandbox.postgres import Postgres
from aichat_sandbox.supervisor import until
from aichat_server.core.actor import Actor
from aichat_server.core.database.batches import Progress
from aichat_server.core.database.database import Database, open_database
from aichat_server.core.periods import month
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.invoices.domain.invoices import InvoiceStage
from aichat_server.invoices.service.monthly import Invoices
from aichat_server.jobs.service.runs import JobRuns
from aichat_server.telemetry.observing import Observer
from aichat_server.usage.service.rollups import Rollups

from tests.fixtures.rows import connection

POOLER = shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin:" + os.environ.get("PATH", ""))
CONNECTIONS = 3
JOBS_AT_ONCE = 4
MARCH = month(2024, 3)

pytestmark = pytest.mark.skipif(POOLER is None, reason="PgBouncer is not installed")


@pytest.fixture
async def pooled(postgres: Postgres) -> AsyncGenerator[Database, None]:
    """The database, behind a pooler that assigns three connections by transaction."""
    url = urlsplit(postgres.app_url)
    [port] = free_ports(1)
    with TemporaryDirectory(prefix="aichat-pooler-") as name:
        folder = Path(name)
        (folder / "users").write_text(f'"{url.username}" "{url.password}"\n')
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={url.hostname} port={url.port}\n[pgbouncer]\nlisten_addr = {HOST}\n"
            f"listen_port = {port}\nunix_socket_dir =\nauth_type = plain\nauth_file = {folder}/users\n"
            f"pool_mode = transaction\ndefault_pool_size = {CONNECTIONS}\n"
        )
        for path in (folder, *folder.iterdir()):
            path.chmod(0o755)
        # It refuses to run as root.
        user = "nobody" if os.geteuid() == 0 else None
        process = await asyncio.create_subprocess_exec(str(POOLER), "--quiet", folder / "pgbouncer.ini", user=user)
        try:
            pooler_url = f"postgresql://{url.username}:{url.password}@{HOST}:{port}{url.path}"

            async def is_there() -> bool:
                assert process.returncode is None
                try:
                    _, writer = await asyncio.open_connection(HOST, port)
                except OSError:
                    return False
                writer.close()
                return True

            await until(is_there)
            async with open_database(pooler_url, pool_size=CONNECTIONS, prepared_statements=False) as database:
                yield database
        finally:
            process.terminate()
            await process.wait()


async def test_jobs_at_once_go_on_with_a_pool_of_three(pooled: Database, postgres: Postgres) -> None:
    org_ids = [uuid4() for _ in range(40)]
    for org_id in org_ids:
        async with pooled.session(org_id, Actor.member(org_id)) as session:
            await OrganizationRepository(session).ensure("Test", org_id)
    runs = JobRuns(pooled, Observer(), held_seconds=1)
    invoices, rollups = Invoices(pooled, None), Rollups(pooled)
    now = datetime.now(UTC)
    running, all_running = 0, asyncio.Event()

    async def work(progress: Progress) -> str:
        nonlocal running
        running += 1
        if running == JOBS_AT_ONCE:
            all_running.set()
        # More jobs than connections, each held by its run.
        await all_running.wait()
        await invoices.run(MARCH, now, progress=progress)
        await rollups.run(now)
        return "done"

    async with asyncio.timeout(120):
        jobs = [runs.run(f"job-{uuid4()}", "", work) for _ in range(JOBS_AT_ONCE)]
        assert await asyncio.gather(*jobs) == ["done"] * JOBS_AT_ONCE
    async with connection(postgres.owner_url) as owner:
        states = await owner.fetch("SELECT state FROM aichat.invoices WHERE org_id = ANY ($1)", org_ids)
    assert [row["state"] for row in states] == [InvoiceStage.SETTLED] * len(org_ids)
