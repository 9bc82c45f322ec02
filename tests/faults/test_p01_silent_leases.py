"""Promise 1: no running answer is considered lost because its server's connections to Postgres went silent or broke."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aichat.v1 import conversations_pb2

from tests.faults.books import audit
from tests.faults.link import Link, Way
from tests.faults.linked import Linked, run_linked
from tests.faults.load import Turn, follow, marked
from tests.faults.rig import Rig
from tests.faults.scale import IS_FULL
from tests.fixtures.server import ApiKey
from tests.fixtures.tally import Tally

LEASE_SECONDS = 30.0 if IS_FULL else 6.0
ANSWERS = 20 if IS_FULL else 8
# Each takes longer to write than two leases.
WORDS = 50
INTERVAL_MS = round(1000 * 2.2 * LEASE_SECONDS / WORDS)
# More than a server has connections.
CALLS = 12


async def _go_silent_where_open(link: Link) -> None:
    link.silence_open()


async def _break(link: Link) -> None:
    for reset in (True, False):
        link.cut(reset=reset)
        await asyncio.sleep(LEASE_SECONDS / 6)


async def _answer_late(link: Link) -> None:
    link.slow_down(delay_seconds=1.0)


async def _lose_replies(link: Link) -> None:
    link.silence(Way.DOWN)
    await asyncio.sleep(LEASE_SECONDS * 2 / 3)
    link.heal()


async def _lose_requests(link: Link) -> None:
    link.silence(Way.UP)
    await asyncio.sleep(LEASE_SECONDS * 2 / 3)
    link.heal()


async def _call(linked: Linked, key: ApiKey) -> None:
    """Makes a call that needs Postgres, and may fail."""
    request = conversations_pb2.ListConversationsRequest()
    await asyncio.gather(
        *(linked.replica.conversations.ListConversations(request, metadata=key.metadata) for _ in range(CALLS)),
        return_exceptions=True,
    )


FAULTS = [_go_silent_where_open, _lose_replies, _break, _answer_late, _lose_requests]


@pytest.mark.parametrize("fault", FAULTS if IS_FULL else FAULTS[:1])
async def test_running_answers_complete(
    rig: Rig, key: ApiKey, tally: Tally, fault: Callable[[Link], Awaitable[None]]
) -> None:
    turns = [Turn(key, marked(words=WORDS, interval_ms=INTERVAL_MS)) for _ in range(ANSWERS)]
    async with run_linked(rig, AICHAT_LEASE_SECONDS=str(LEASE_SECONDS)) as linked, rig.reaping():
        following = [asyncio.create_task(follow(turn, linked.replica)) for turn in turns]
        async with asyncio.timeout(60):
            while not all(turn.sequence for turn in turns):
                await asyncio.sleep(0.05)
        await asyncio.gather(fault(linked.postgres), _call(linked, key))
        reasons = await asyncio.gather(*following)
        tally(faults=1, turns=len(turns))
        assert set(reasons) == {""}, linked.replica.log.read_text()[-2000:]
    found = await audit(rig, key, turns)
    tally(acknowledged=found.acknowledged, lost=found.lost, double_billed=found.double_billed)
    assert (found.acknowledged, found.lost, found.double_billed) == (len(turns), 0, 0)
