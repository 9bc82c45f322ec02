"""Promise 15: Postgres goes silent.

Calls fail within seconds or continue elsewhere, and so do all that wait for them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from time import monotonic
from uuid import UUID

import pytest
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.core.database import connections
from aichat_server.core.database.database import Database, open_database
from aichat_server.core.database.pool import CALLS
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.service import StoredPrices

from tests.faults.link import Link, Way, link_to
from tests.faults.lost import MODEL, PROVIDER
from tests.faults.rig import Rig
from tests.faults.scale import IS_FULL
from tests.fixtures.nursery import run_program
from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey
from tests.integration.conversations.asking import eventually
from tests.integration.conversations.turns import Asked, Turns, completed, exchange, turn

# As documented, doubled for a busy machine.
FAILS_WITHIN_SECONDS = 2 * CALLS.answer
KEEPALIVE_SECONDS = 5
# About the bytes that opening a connection takes, and a few calls.
BROKEN_WITHIN_BYTES = 20_000
BROKEN_CALLS = 500 if IS_FULL else 100
_ESTABLISHED = "01"
LOCKED = "SELECT FROM aichat.conversations WHERE conversation_id = $1 FOR UPDATE"


@pytest.fixture
async def link(rig: Rig) -> AsyncGenerator[Link, None]:
    """A link to Postgres."""
    async with link_to(rig.app_url) as opened:
        yield opened


@pytest.fixture
async def database(rig: Rig, link: Link) -> AsyncGenerator[Database, None]:
    """The database over the link."""
    async with open_database(link.through(rig.app_url), pool_size=4) as opened:
        yield opened


@pytest.fixture
async def principal(key: ApiKey) -> Principal:
    """A member of a new organisation."""
    return Principal(UUID(key.organization_id), UUID(key.member_id), UUID(key.key_id))


async def call(database: Database, principal: Principal) -> None:
    """Does what most calls do: a turn on one pool, and a transaction on the other."""
    await asyncio.gather(exchange(database, principal), Conversations(database).list(principal, 10))


def asked(principal: Principal, conversation_id: UUID | None = None) -> Asked:
    """Returns a turn that workers can end, too, since they find it running."""
    return replace(turn(principal, conversation_id=conversation_id), model=MODEL, provider=PROVIDER, options={})


async def fails_in_time(attempt: Awaitable[object]) -> None:
    """Asserts that the attempt fails with a typed error within the documented bound."""
    began = monotonic()
    with pytest.raises(AichatError) as caught:
        await attempt
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    assert monotonic() - began < FAILS_WITHIN_SECONDS


async def test_a_call_uses_another_connection_when_idle_ones_have_gone_silent(
    link: Link, database: Database, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All of them count as idle.
    monkeypatch.setattr(connections, "IDLE_SECONDS", 0.0)
    for _ in range(2):
        await asyncio.gather(*(call(database, principal) for _ in range(4)))
        link.silence_open()
        await call(database, principal)


async def test_only_one_call_gets_no_answer(
    link: Link, database: Database, principal: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    # None of them counts as idle.
    monkeypatch.setattr(connections, "IDLE_SECONDS", 3600.0)
    await asyncio.gather(*(call(database, principal) for _ in range(4)))
    link.silence_open()
    async with asyncio.timeout(FAILS_WITHIN_SECONDS):
        # It has to wait, and then finds another connection.
        await Turns(database).begin(asked(principal))
    async with asyncio.timeout(FAILS_WITHIN_SECONDS):
        await asyncio.gather(*(call(database, principal) for _ in range(4)))


@pytest.mark.parametrize("ways", [(), (Way.UP,), (Way.DOWN,)], ids=["both", "up", "down"])
async def test_calls_fail_in_time_while_it_is_silent_and_work_right_after(
    link: Link, database: Database, principal: Principal, ways: tuple[Way, ...]
) -> None:
    await call(database, principal)
    link.silence(*ways)
    # More of them than there are connections.
    beginning = [Turns(database).begin(asked(principal)) for _ in range(6)]
    listing = [Conversations(database).list(principal, 10) for _ in range(6)]
    await asyncio.gather(*map(fails_in_time, [*beginning, *listing]))
    link.heal()
    async with asyncio.timeout(FAILS_WITHIN_SECONDS):
        await call(database, principal)


async def test_a_lost_reply_fails_only_its_own_call(link: Link, database: Database, principal: Principal) -> None:
    begun = await Turns(database).begin(asked(principal))
    lost = link.lose_reply_to(str(begun.generation_id).encode())
    async with asyncio.timeout(FAILS_WITHIN_SECONDS):
        answer = await Turns(database).end(completed(principal, begun))
    assert lost.is_set()
    assert answer is not None
    assert await Turns(database).end(completed(principal, begun)) == answer


async def test_a_slow_connection_is_not_considered_dead(
    rig: Rig, link: Link, database: Database, principal: Principal
) -> None:
    answer = await exchange(database, principal)
    await asyncio.gather(*(call(database, principal) for _ in range(4)))
    before = link.accepted
    async with connection(rig.owner_url) as owner, owner.transaction():
        await owner.fetch(LOCKED, answer.conversation_id)
        waiting = asked(principal, answer.conversation_id)
        await fails_in_time(Turns(database).begin(waiting))
        for _ in range(4):
            await call(database, principal)
    # Except for the two that timed out, the connections are the same as before.
    assert link.accepted <= before + 2


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "end"])
async def test_connections_that_break_at_any_byte_fail_calls_with_typed_errors_at_most(
    link: Link, database: Database, principal: Principal, reset: bool
) -> None:
    link.cut_each_within(BROKEN_WITHIN_BYTES, reset=reset)
    link.cut(reset=reset)

    async def attempt() -> Reason | None:
        try:
            await call(database, principal)
        except AichatError as error:
            return error.reason
        return None

    for _ in range(BROKEN_CALLS // 10):
        assert set(await asyncio.gather(*(attempt() for _ in range(10)))) <= {None, Reason.STORAGE_UNAVAILABLE}
    link.heal()
    link.cut(reset=reset)
    await eventually(attempt, lambda reason: reason is None)


async def test_slow_connections_can_be_opened_and_used(link: Link, database: Database, principal: Principal) -> None:
    begun = await Turns(database).begin(asked(principal))
    await call(database, principal)
    link.slow_down(delay_seconds=1.0)
    # All round trips: checking that the connection is alive, preparing the statement, and executing it.
    assert await Turns(database).end(completed(principal, begun)) is not None
    link.cut()

    async def end() -> bool:
        with suppress(AichatError):
            return await Turns(database).end(completed(principal, begun)) is not None
        return False

    # A new connection takes longer than any call waits; one of the next calls can use it.
    assert await eventually(end, bool)


async def test_starting_and_migrating_fail_in_time(rig: Rig, link: Link) -> None:
    link.silence()
    settings = {
        **rig.settings,
        "DATABASE_URL": link.through(rig.app_url),
        "AICHAT_MIGRATION_DATABASE_URL": link.through(rig.owner_url),
    }

    async def run(*command: str) -> tuple[int, str]:
        code, said = await run_program(settings, rig.folder, *command)
        return code, said.splitlines()[-1]

    # All that matters is that none waits forever.
    async with asyncio.timeout(60):
        ends = await asyncio.gather(
            run("aichat_server", "serve"),
            run("aichat_server", "migrate"),
            run("aichat_server", "prices", "sync"),
            run("aichat_workers", "run", "orphans"),
        )
    assert set(ends) == {(1, "the database cannot be reached; send the call again shortly")}


@pytest.mark.parametrize("method", ["fetchrow", "prepare"])
async def test_the_event_loops_own_error_counts_as_a_reset(
    database: Database, principal: Principal, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    async def break_off(*_: object, **__: object) -> None:
        raise RuntimeError("unable to perform operation on <TCPTransport>; the handler is closed")

    await call(database, principal)
    with monkeypatch.context() as broken:
        broken.setattr(connections.Connection, method, break_off)
        attempt = Turns(database).begin(turn(principal)) if method == "fetchrow" else StoredPrices(database).prices()
        await fails_in_time(attempt)
    await call(database, principal)
    await StoredPrices(database).prices()


async def test_the_kernel_probes_connections(link: Link, database: Database, principal: Principal) -> None:
    await call(database, principal)
    peer = f"0100007F:{link.port:04X}"
    opened = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    timers = [fields[5] for fields in opened if fields[2] == peer and fields[3] == _ESTABLISHED]
    # In the kernel's numbering, 02 is the timer that probes whether the peer is alive.
    assert {timer.split(":")[0] for timer in timers} == {"02"}
    assert all(int(timer.split(":")[1], 16) / 100 <= KEEPALIVE_SECONDS for timer in timers)
