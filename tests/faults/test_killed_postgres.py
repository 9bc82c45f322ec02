"""Promise 15: a Postgres that stops without a warning and restarts loses nothing that was acknowledged."""

from __future__ import annotations

from tests.faults.books import audit
from tests.faults.checker import faults_in
from tests.faults.load import Load
from tests.faults.rig import Rig
from tests.faults.scale import SCALE
from tests.fixtures.server import ApiKey
from tests.fixtures.tally import Tally


async def test_acknowledged_answers_survive_a_killed_database(rig: Rig, key: ApiKey, tally: Tally) -> None:
    async with rig.reaping():
        async with Load(rig, key, SCALE.streams, words=25, interval_ms=40) as load:
            for _ in range(SCALE.postgres_stops):
                await load.at_work(load.over)
                await rig.postgres.stop_immediately()
                await rig.postgres.start()
                tally(faults=1)
            await load.at_work(load.over)
        wrong = await faults_in(rig.owner_url, key.organization_id, load.turns)
    found = await audit(rig, key, load.turns)
    tally(turns=len(load.turns), streams=SCALE.streams)
    tally(acknowledged=found.acknowledged, lost=found.lost, double_billed=found.double_billed)
    assert (found.lost, found.double_billed) == (0, 0)
    # A server that could not renew its leases may have been considered lost.
    assert {turn.failure for turn in load.turns} <= {"", "SERVER_LOST"}
    assert found.acknowledged > SCALE.postgres_stops
    assert wrong == []
