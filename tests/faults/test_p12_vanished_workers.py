"""Promise 12: a worker that vanishes during its work releases it to others within seconds."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from operator import lt
from uuid import UUID, uuid4

import pytest
from aichat_server.billing.storage.stripe_events import StripeEventRepository
from aichat_server.conversations.storage.conversations import ConversationRepository
from aichat_server.core.database.batches import Progress
from aichat_server.core.database.database import Database, open_database
from aichat_server.core.database.pool import JOBS
from aichat_server.invoices.domain.invoices import REFUND
from aichat_server.jobs.service.runs import JobBusyError, JobRuns
from aichat_server.jobs.storage.runs import JobRunRepository
from aichat_server.outbox.service import Outbox
from aichat_server.outbox.storage import OutboxRepository
from aichat_server.payments.domain.billing import BillingEvent
from aichat_server.telemetry.observing import Observer

from tests.faults.link import Link, link_to
from tests.faults.lost import lose
from tests.faults.rig import Rig
from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey
from tests.integration.conversations.asking import eventually
from tests.integration.conversations.turns import Begun

# Instead of production's 15 s, so that a test need not wait for them.
HELD_SECONDS = 3.0
LONG = timedelta(hours=1)
_HELD_UNTIL = "SELECT held_until FROM aichat.job_runs WHERE job = $1"


@pytest.fixture
async def link(rig: Rig) -> AsyncGenerator[Link, None]:
    """Between Postgres and the worker that vanishes."""
    async with link_to(rig.app_url) as opened:
        yield opened


@pytest.fixture
async def vanishing(rig: Rig, link: Link) -> AsyncGenerator[Database, None]:
    """The database as that worker sees it."""
    async with open_database(link.through(rig.app_url), patience=JOBS) as opened:
        yield opened


@asynccontextmanager
async def vanished(link: Link, *transactions: AbstractAsyncContextManager[object]) -> AsyncGenerator[None, None]:
    """Runs with the worker gone in the middle of these transactions."""
    begun = 0

    async def hang(transaction: AbstractAsyncContextManager[object]) -> None:
        nonlocal begun
        async with transaction:
            begun += 1
            await asyncio.Event().wait()

    async def all_hang() -> bool:
        assert not any(task.done() for task in tasks), tasks
        return begun == len(tasks)

    tasks = [asyncio.create_task(hang(one)) for one in transactions]
    await eventually(all_hang, bool)
    link.silence()
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def ending_an_answer(database: Database, lost: Begun, org_id: UUID) -> AsyncGenerator[None, None]:
    """A transaction that has locked the answer's conversation."""
    async with database.session(org_id) as session:
        assert await ConversationRepository(session).set_title(lost.conversation_id, "Lost")
        yield


@asynccontextmanager
async def handing_over(database: Database, message_id: UUID, org_id: UUID) -> AsyncGenerator[None, None]:
    """A transaction that has locked the message in the outbox."""
    async with database.session(org_id) as session:
        await OutboxRepository(session).remove(message_id)
        yield


@asynccontextmanager
async def acting_on_an_event(database: Database) -> AsyncGenerator[bool, None]:
    """Yields whether there is an event to process, which is locked until the end."""
    now = datetime.now(UTC)
    async with database.platform_session() as session:
        yield await StripeEventRepository(session).claim(now, now + LONG) is not None


async def test_its_locks_are_released_within_seconds(rig: Rig, key: ApiKey, link: Link, vanishing: Database) -> None:
    org_id, message_id = UUID(key.organization_id), uuid4()
    [lost] = await lose(rig, key, 1)
    async with rig.database.session(org_id) as session:
        await OutboxRepository(session).add(REFUND, message_id)
    async with rig.database.platform_session() as platform:
        event = BillingEvent(f"evt_{uuid4()}", "customer.updated", "cus_1", datetime.now(UTC))
        assert await StripeEventRepository(platform).add(event)

    async def act() -> bool:
        async with acting_on_an_event(rig.database) as is_there:
            return is_there

    async def hand_over() -> bool:
        return bool((await Outbox(rig.database, {REFUND: _deliver}).relay(datetime.now(UTC))).done)

    async def end() -> bool:
        return bool((await rig.orphans.reap(datetime.now(UTC))).ended)

    async with vanished(
        link,
        ending_an_answer(vanishing, lost, org_id),
        handing_over(vanishing, message_id, org_id),
        acting_on_an_event(vanishing),
    ):
        assert not await act(), "it is not locked"
        for other in (act, hand_over, end):
            assert await eventually(other, bool)


async def _deliver(_: UUID, __: UUID) -> bool:
    return True


async def test_another_worker_takes_over_its_job_and_it_does_not_interfere_later(
    rig: Rig, link: Link, vanishing: Database
) -> None:
    begun, acted = asyncio.Event(), asyncio.Event()

    async def vanish(_: Progress) -> None:
        link.silence()
        begun.set()
        await asyncio.sleep(10 * HELD_SECONDS)
        acted.set()

    async def work(_: Progress) -> str:
        return "done"

    job = f"job-{uuid4()}"
    running = asyncio.create_task(JobRuns(vanishing, Observer(), HELD_SECONDS).run(job, "", vanish))
    await begun.wait()
    others = JobRuns(rig.database, Observer(), HELD_SECONDS)

    async def take_over() -> object:
        try:
            return await others.run(job, "", work)
        except JobBusyError:
            return None

    assert await take_over() is None, "it is held for a moment"
    assert await eventually(take_over, lambda outcome: outcome == "done")
    link.heal()
    with pytest.raises(JobBusyError, match="was stopped"):
        await running
    assert not acted.is_set()
    async with rig.database.platform_session() as session:
        assert not (await JobRunRepository(session).states())[job].failing


async def test_a_job_continues_when_its_connections_break(rig: Rig, link: Link, vanishing: Database) -> None:
    # Held as in production: a renewal may find a dead connection, and another one, before the hold expires.
    runs = JobRuns(vanishing, Observer())
    job = f"job-{uuid4()}"

    async def held_until() -> datetime:
        async with connection(rig.owner_url) as owner:
            until: datetime = await owner.fetchval(_HELD_UNTIL, job)
        return until

    async def work(_: Progress) -> str:
        for harm in (link.silence_open, link.cut):
            first = await held_until()
            harm()
            await eventually(held_until, partial(lt, first))
        return "done"

    assert await runs.run(job, "", work) == "done"
