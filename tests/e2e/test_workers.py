"""The workers of a running platform."""

from __future__ import annotations

import asyncio

from aichat_sandbox.platform import Platform


async def test_jobs_run_when_they_are_due(platform: Platform) -> None:
    log = platform.server.folder / "logs" / "workers.log"
    # The job that ends lost answers runs every minute.
    async with asyncio.timeout(150):
        while '"job":"orphans"' not in log.read_text():
            await asyncio.sleep(0.1)
    assert '"level":"error"' not in log.read_text()
