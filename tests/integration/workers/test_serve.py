"""`serve`: queued jobs run, even after Redis was unreachable, and finish when it stops."""

from __future__ import annotations

import asyncio
import signal
from dataclasses import replace
from functools import partial
from pathlib import Path

from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.identity.domain.principals import Principal
from aichat_server.jobs.domain.jobs import QUEUE
from aichat_workers.broker import open_broker
from dramatiq import Message

from tests.fixtures.redis import RedisUnderTest
from tests.fixtures.rows import connection
from tests.integration.conversations.asking import eventually
from tests.integration.conversations.turns import Turns, turn
from tests.integration.workers.conftest import MODEL, PROVIDER, Workers, expire, generations


def queue(redis: RedisUnderTest, job: str) -> None:
    broker = open_broker(redis.url)
    broker.declare_queue(QUEUE)
    broker.enqueue(Message(QUEUE, job, (), {}, {}))
    broker.client.close()


async def orphan(postgres: Postgres, database: Database, principal: Principal) -> None:
    """Leaves a turn behind that no server writes."""
    await Turns(database).begin(replace(turn(principal), model=MODEL, provider=PROVIDER))
    await expire(postgres, principal.org_id)


async def _states(postgres: Postgres, principal: Principal) -> list[str]:
    return sorted((await generations(postgres, principal.org_id)).values())


async def _read(log: Path) -> str:
    return log.read_text()


async def test_p15_jobs_are_run_after_redis_was_away_and_finished_when_told_to_stop(
    workers: Workers, redis: RedisUnderTest, postgres: Postgres, database: Database, principal: Principal
) -> None:
    async with workers("serve") as command:
        await eventually(partial(_read, command.log), lambda log: '"event":"working"' in log)
        await redis.kill()
        await orphan(postgres, database, principal)
        await redis.start()
        await asyncio.to_thread(queue, redis, "orphans")
        await eventually(partial(_states, postgres, principal), lambda states: states == ["interrupted"])

        await orphan(postgres, database, principal)
        async with connection(postgres.owner_url) as owner, owner.transaction():
            await owner.execute("SELECT FROM aichat.conversations WHERE org_id = $1 FOR UPDATE", principal.org_id)
            await asyncio.to_thread(queue, redis, "orphans")
            await eventually(partial(_waiting, postgres), bool)
            command.process.send_signal(signal.SIGTERM)
            await eventually(partial(_read, command.log), lambda log: '"event":"stopping"' in log)
        assert await command.process.wait() == 0, command.log.read_text()
    assert await _states(postgres, principal) == ["interrupted", "interrupted"]


async def _waiting(postgres: Postgres) -> bool:
    async with connection(postgres.owner_url) as owner:
        query = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%aichat.end_turn%'"
        return bool(await owner.fetch(query))
