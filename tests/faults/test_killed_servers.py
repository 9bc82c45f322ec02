"""Promise 1: servers are killed under load again and again, and every acknowledged answer is stored, once."""

from __future__ import annotations

from tests.faults.books import audit
from tests.faults.checker import faults_in
from tests.faults.load import Load
from tests.faults.rig import Rig
from tests.faults.scale import SCALE
from tests.fixtures.server import ApiKey
from tests.fixtures.tally import Tally


async def test_acknowledged_answers_survive_killed_servers(rig: Rig, key: ApiKey, tally: Tally) -> None:
    async with rig.reaping():
        async with Load(rig, key, SCALE.streams, words=25, interval_ms=40) as load:
            for kill in range(SCALE.server_kills):
                await load.at_work(load.over)
                server = rig.replicas[kill % len(rig.replicas)]
                await server.kill()
                await server.start()
                tally(faults=1)
            await load.at_work(load.over)
        wrong = await faults_in(rig.owner_url, key.organization_id, load.turns)
    found = await audit(rig, key, load.turns)
    tally(turns=len(load.turns), streams=SCALE.streams)
    tally(acknowledged=found.acknowledged, lost=found.lost, double_billed=found.double_billed)
    assert (found.lost, found.double_billed) == (0, 0)
    # The others learned that their answer was lost with its server, and may ask again.
    assert {turn.failure for turn in load.turns} <= {"", "SERVER_LOST"}
    assert found.acknowledged > SCALE.server_kills
    assert wrong == []
