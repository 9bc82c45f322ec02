"""Promise 15: Postgres goes silent. Calls fail within seconds or go on elsewhere, and so do all that wait for them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import suppress
from time import monotonic
from uuid import UUID

import pytest
from aichat_server.domain.errors import AichatError, Reason
from aichat_server.domain.identity import Principal
from aichat_server.services.conversations import Conversations
from aichat_server.storage import connections
from aichat_server.storage.database import Database, open_database
from aichat_server.storage.migrate import migrate
from aichat_server.storage.pool import CALLS, CONNECT_SECONDS

from tests.faults.link import Link, Way, link_to
from tests.faults.rig import Rig
from tests.fixtures.server import ApiKey
from tests.integration.chat.asking import eventually
from tests.integration.storage.rows import connection
from tests.integration.storage.turns import completed, exchange, turn

# As documented, with room for a machine that is busy.
FAILS_WITHIN_SECONDS = 2 * CALLS.answer
LOCKED = "SELECT FROM aichat.conversations WHERE conversation_id = $1 FOR UPDATE"


@pytest.fixture
async def link(rig: Rig) -> AsyncGenerator[Link, None]:
    """To Postgres."""
    async with link_to(rig.app_url) as opened:
        yield opened


@pytest.fixture
async def database(rig: Rig, link: Link) -> AsyncGenerator[Database, None]:
    """By way of the link."""
    async with open_database(link.through(rig.app_url), pool_size=4) as opened:
        yield opened


@pytest.fixture
async def principal(key: ApiKey) -> Principal:
    """A member of a new organisation."""
    return Principal(UUID(key.organization_id), UUID(key.member_id), UUID(key.key_id))


async def call(database: Database, principal: Principal) -> None:
    """What most calls do: a turn by the one pool, and a transaction by the other."""
    await asyncio.gather(exchange(database, principal), Conversations(database).list(principal, 10))


async def fails_in_time(attempt: Awaitable[object], seconds: float = FAILS_WITHIN_SECONDS) -> None:
    """Fails, typed, within the documented bound."""
    began = monotonic()
    with pytest.raises(AichatError) as caught:
        await attempt
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    assert monotonic() - began < seconds


async def test_a_call_finds_another_connection_when_those_that_were_idle_have_gone_silent(
    link: Link, database: Database, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All of them have been idle.
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.0)
    for _ in range(2):
        await asyncio.gather(*(call(database, principal) for _ in range(4)))
        link.silence_open()
        await call(database, principal)


async def test_one_call_that_gets_no_answer_is_the_only_one(
    link: Link, database: Database, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    # None of them has been idle.
    monkeypatch.setattr(connections, "IDLE_SECONDS", 3600.0)
    await asyncio.gather(*(call(database, principal) for _ in range(4)))
    link.silence_open()
    await fails_in_time(database.turns.begin(turn(principal)))
    async with asyncio.timeout(FAILS_WITHIN_SECONDS):
        await asyncio.gather(*(call(database, principal) for _ in range(4)))


@pytest.mark.parametrize("ways", [(), (Way.UP,), (Way.DOWN,)], ids=["both", "up", "down"])
async def test_calls_fail_in_time_while_it_is_silent_and_work_as_soon_as_it_is_not(
    link: Link, database: Database, principal: Principal, ways: tuple[Way, ...]
) -> None:
    await call(database, principal)
    link.silence(*ways)
    # More of them than there are connections.
    beginning = [database.turns.begin(turn(principal)) for _ in range(6)]
    listing = [Conversations(database).list(principal, 10) for _ in range(6)]
    await asyncio.gather(*map(fails_in_time, [*beginning, *listing]))
    link.heal()
    async with asyncio.timeout(FAILS_WITHIN_SECONDS):
        await call(database, principal)


async def test_a_lost_reply_costs_its_own_call_and_no_other(
    link: Link, database: Database, principal: Principal
) -> None:
    begun = await database.turns.begin(turn(principal))
    lost = link.lose_reply_to(begun.generation_id.bytes)
    await fails_in_time(database.turns.end(completed(principal, begun)))
    assert lost.is_set()
    assert await database.turns.end(completed(principal, begun)) is not None


async def test_what_is_slow_is_not_taken_for_dead(
    rig: Rig, link: Link, database: Database, principal: Principal
) -> None:
    answer = await exchange(database, principal)
    await asyncio.gather(*(call(database, principal) for _ in range(4)))
    before = link.accepted
    async with connection(rig.owner_url) as owner, owner.transaction():
        await owner.fetch(LOCKED, answer.conversation_id)
        waiting = turn(principal, conversation_id=answer.conversation_id)
        await fails_in_time(database.turns.begin(waiting))
        for _ in range(4):
            await call(database, principal)
    # But for the one that was waited for, the connections are those of before.
    assert link.accepted <= before + 1


async def test_slow_connections_are_used_and_made(link: Link, database: Database, principal: Principal) -> None:
    begun = await database.turns.begin(turn(principal))
    await call(database, principal)
    link.slow_down(delay_seconds=1.0)
    # All that it takes: to ask whether the connection is alive, to prepare the statement, and to execute it.
    assert await database.turns.end(completed(principal, begun)) is not None
    link.cut()

    async def end() -> bool:
        with suppress(AichatError):
            return await database.turns.end(completed(principal, begun)) is not None
        return False

    # A new connection takes longer than any call waits; it is there for one of the next.
    assert await eventually(end, bool)


async def test_starting_and_migrating_end_in_time(rig: Rig, link: Link) -> None:
    link.silence()

    async def start() -> None:
        async with open_database(link.through(rig.app_url)):
            pass

    migrating = migrate(link.through(rig.owner_url), rig.app_url)
    await asyncio.gather(fails_in_time(start()), fails_in_time(migrating, 2 * CONNECT_SECONDS))
