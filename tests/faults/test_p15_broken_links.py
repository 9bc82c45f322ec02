"""Promises 1, 2, 3, 4, 8, 15: links go silent, slow down, break and vanish under load, and no answer is lost.

What callers may see, and how soon everything works again, is what docs/faults.md says of each link.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import pytest
from aichat.v1 import conversations_pb2

from tests.faults.bounds import HEARTBEAT_SECONDS, ROOM, read_bounds
from tests.faults.checker import faults_in
from tests.faults.link import Link, Way
from tests.faults.load import Load, reason_of
from tests.faults.network import Network, run_network
from tests.faults.rig import Rig
from tests.faults.scale import IS_FULL, SCALE
from tests.fixtures.server import ApiKey
from tests.fixtures.tally import Measured, Tally

BOUNDS = read_bounds()
# Each way to break a link, by its kind of fault in docs/faults.md.
CONDITIONS = {
    "silent both ways": "silent",
    "silent to the peer": "silent",
    "silent from the peer": "silent",
    "open connections silent": "silent",
    "half a second late": "slow",
    "4 KB a second": "slow",
    "reset": "cut",
    "ended": "cut",
    "gone": "gone",
}
LINKS = (
    "caller ↔ edge",
    "edge ↔ server",
    "server ↔ Postgres",
    "server ↔ Redis",
    "server ↔ vendor",
    "worker ↔ Postgres",
    "worker ↔ Redis",
)
SAMPLE = (
    ("edge ↔ server", "silent from the peer"),
    ("server ↔ Postgres", "open connections silent"),
    ("server ↔ Redis", "silent both ways"),
    ("server ↔ vendor", "reset"),
)
# The time for callers to finish after the fault: answers, leases, and jobs that run every minute.
MOST_SECONDS = 120.0
SEED = int(os.environ.get("AICHAT_FAULTS_SEED") or random.randrange(2**32))


@pytest.fixture(scope="module")
async def _network(_rig: Rig, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Network, None]:
    folder: Path = tmp_path_factory.mktemp("network")
    async with run_network(_rig, folder) as network:
        yield network


@pytest.fixture
async def network(_network: Network) -> Network:
    """Restores everything, whatever an earlier test left."""
    await _network.heal()
    await _network.whole()
    return _network


async def break_link(link: Link, condition: str) -> None:
    match condition:
        case "silent both ways":
            link.silence()
        case "silent to the peer":
            link.silence(Way.UP)
        case "silent from the peer":
            link.silence(Way.DOWN)
        case "open connections silent":
            link.silence_open()
        case "half a second late":
            link.slow_down(delay_seconds=0.5)
        case "4 KB a second":
            link.slow_down(bytes_per_second=4096)
        case "reset" | "ended":
            # The open connections at once, and each new one at a random byte.
            link.cut_each_within(20_000, reset=condition == "reset")
            link.cut(reset=condition == "reset")
        case _:
            await link.remove()


@dataclass
class Reads:
    """Short calls at the edge, one after another: how long they took, and their failures."""

    network: Network
    key: ApiKey
    longest: float = 0.0
    reasons: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def going_on(self) -> AsyncGenerator[None, None]:
        task = asyncio.create_task(self._read_on())
        try:
            yield
            assert not task.done(), task.result()
        finally:
            task.cancel()

    async def _read_on(self) -> None:
        edge = self.network.rig.replicas[0]
        while True:
            began = time.monotonic()
            request = conversations_pb2.ListConversationsRequest(page_size=1)
            try:
                await edge.conversations.ListConversations(request, metadata=self.key.metadata)
            except grpc.aio.AioRpcError as error:
                self.reasons.add(reason_of(error) or error.code().name)
            finally:
                self.longest = max(self.longest, time.monotonic() - began)
            await asyncio.sleep(0.2)


@pytest.mark.timeout(600 if IS_FULL else 180)
@pytest.mark.parametrize(("link", "condition"), [*itertools.product(LINKS, CONDITIONS)] if IS_FULL else SAMPLE)
async def test_no_answer_is_lost_and_every_caller_gets_a_result_in_time(
    rig: Rig, network: Network, link: str, condition: str, measured: Measured, tally: Tally
) -> None:
    random.seed(SEED)
    bound = BOUNDS[link, CONDITIONS[condition]]
    key = await rig.key()
    reads = Reads(network, key)
    lasts = SCALE.silent_seconds if CONDITIONS[condition] == "silent" else SCALE.broken_seconds
    load = Load(network.rig, key, SCALE.broken_streams, words=30, interval_ms=60)
    async with rig.reaping():
        async with reads.going_on(), asyncio.timeout(lasts + MOST_SECONDS), load:
            await load.at_work(load.over)
            for one in network.links[link]:
                await break_link(one, condition)
            await asyncio.sleep(lasts)
            healed = time.monotonic()
            await network.heal()
            await network.whole()
            if link.startswith("worker"):
                await network.jobs_done()
            well = time.monotonic() - healed
        found = await faults_in(rig.owner_url, key.organization_id, load.turns)
    reasons = reads.reasons.union(*(turn.reasons for turn in load.turns))
    streams = max(turn.longest_wait for turn in load.turns)
    measured(link, condition, ", ".join(sorted(reasons)) or "nothing", reads.longest, bound.within, well, bound.back)
    acknowledged = sum(turn.completed is not None for turn in load.turns)
    tally(turns=len(load.turns), streams=SCALE.broken_streams, faults=1, acknowledged=acknowledged, seed=SEED)
    assert found == []
    assert acknowledged
    assert reasons <= bound.reasons
    assert reads.longest <= bound.within * ROOM
    assert streams <= max(bound.within, HEARTBEAT_SECONDS) * ROOM
    assert well <= bound.back * ROOM
