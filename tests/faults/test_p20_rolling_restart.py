"""Promise 20: servers and edges restart one after another under load; no call fails and no stream breaks."""

from __future__ import annotations

from pathlib import Path

from tests.faults.rig import Rig
from tests.faults.rolling import rolling
from tests.faults.scale import SCALE
from tests.fixtures.tally import Tally


async def test_nobody_notices_restarts_of_servers_and_edges(rig: Rig, tmp_path: Path, tally: Tally) -> None:
    keys = [await rig.key() for _ in range(8)]
    async with rolling(rig, tmp_path) as on:
        async with on.load(keys, streams=SCALE.rolled_streams, calls_per_second=SCALE.rolled_calls_per_second):
            for server in on.servers[: SCALE.rolled_servers]:
                await on.restart_server(server)
            for edge in on.edges[: SCALE.rolled_edges]:
                await on.restart_edge(edge)
        tally(turns=on.answers, streams=SCALE.rolled_streams, faults=SCALE.rolled_servers + SCALE.rolled_edges)
        assert on.failed == []
        assert on.answers >= SCALE.rolled_streams
