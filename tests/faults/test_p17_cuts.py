"""Promise 17: clients whose connections are cut off repeat their calls, and each turn is answered and charged once."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aichat_sandbox.ports import free_ports

from tests.e2e.calls import script
from tests.faults.cutter import LAST, WORDS, Cutter
from tests.faults.edge import Edge
from tests.faults.link import HOST
from tests.faults.retrying import Ask, PythonClients, persist, persist_by_node
from tests.faults.rig import Rig
from tests.faults.scale import IS_FULL, SCALE
from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey
from tests.fixtures.tally import Tally

MODELS = ("claude-haiku-5-5", "gpt-6-luna", "gemini-3.5-flash-lite")
# Most of them wait for words: little of a processor is needed for each.
AT_ONCE = 48
# The stand-in remembers this many calls, and more.
PORTION = 400
COUNTING = re.compile("count|input_tokens", re.IGNORECASE)
FIRST = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")


@pytest.fixture
async def edge(rig: Rig, tmp_path: Path) -> AsyncGenerator[Edge, None]:
    """An edge in front of two replicas."""
    address, admin = (f"{HOST}:{port}" for port in free_ports(2))
    servers = [replica.address for replica in rig.replicas]
    edge = Edge(address, admin, servers, {"AICHAT_EDGE_ANNOUNCE_SECONDS": "0"}, tmp_path / "edge.log")
    await edge.start()
    yield edge
    await edge.stop()


def asks(number: int, chance: random.Random, interval_ms: int = 800) -> list[Ask]:
    """Returns questions that nobody else asks.

    Each answer ends a while after its last words have begun: the server must hear of a cut there before the end.
    """
    asked = []
    for _ in range(number):
        first, *words = (f"word{n} " for n in range(WORDS))
        deltas = [f"{uuid4()} {first}", *words, f"{LAST.decode()} ", "of ", "it"]
        text = script(deltas=deltas, interval_ms=interval_ms)
        asked.append(Ask(chance.choice(MODELS), text, "".join(deltas), stream=chance.random() < 0.8))
    return asked


def answered(rig: Rig) -> Counter[str]:
    """Returns how often vendors were asked for each answer, by its first word; a count of tokens is none."""
    asked = [entry for entry in rig.vendors.log() if not COUNTING.search(entry["path"])]
    return Counter(FIRST.findall(json.dumps(entry["body"]))[0] for entry in asked)


async def charged(rig: Rig, key: ApiKey) -> int:
    """Returns how many answers were charged."""
    async with connection(rig.owner_url) as owner:
        query = "SELECT count(*) FROM aichat.usage_events WHERE org_id = $1"
        return int(await owner.fetchval(query, UUID(key.organization_id)))


async def hold(address: str, key: ApiKey, held: Sequence[Ask]) -> None:
    """Asks, a quarter by each client."""
    by_node, others = held[::4], [ask for place, ask in enumerate(held) if place % 4]
    async with AsyncExitStack() as stack:
        ways = PythonClients(address, key.api_key, stack).ways
        waiting = iter([(ways[place % 3], ask) for place, ask in enumerate(others)])

        async def one_by_one() -> None:
            for way, ask in waiting:
                await persist(way, ask)

        for ask in by_node:
            ask.model, ask.stream = MODELS[1], True
        async with asyncio.TaskGroup() as group:
            group.create_task(persist_by_node(address, key.api_key, by_node, at_once=AT_ONCE // 4))
            for _ in range(AT_ONCE * 3 // 4):
                group.create_task(one_by_one())


@pytest.mark.timeout(3600 if IS_FULL else 180)
async def test_every_turn_is_answered_whole_and_charged_once(rig: Rig, key: ApiKey, edge: Edge, tally: Tally) -> None:
    chance = random.Random(20261126)
    called = 0
    # New servers are slow.
    warm = asks(AT_ONCE, chance, interval_ms=0)
    await hold(edge.address, key, warm)
    async with Cutter(edge.address, chance) as cutter:
        for begin in range(0, SCALE.cut_turns, PORTION):
            held = asks(min(PORTION, SCALE.cut_turns - begin), chance)
            rig.vendors.clear_log()
            await hold(cutter.address, key, held)
            times = answered(rig)
            called += times.total()
            tally(turns=len(held))
            assert [ask for ask in held if ask.seen != ask.answer] == []
            assert [ask for ask in held if times[ask.answer.split()[0]] != 1] == []
        tally(faults=sum(cutter.cuts.values()))
        assert sum(cutter.cuts.values()) > SCALE.cut_turns / 10
    assert (called, await charged(rig, key)) == (SCALE.cut_turns, SCALE.cut_turns + len(warm))
