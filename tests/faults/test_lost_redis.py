"""Promise 15: a Redis that is killed, or emptied, costs no message and no money."""

from __future__ import annotations

from tests.faults.books import audit, billed, booked
from tests.faults.checker import faults_in
from tests.faults.load import Load
from tests.faults.rig import Rig
from tests.faults.scale import SCALE
from tests.fixtures.server import ApiKey
from tests.fixtures.tally import Tally


async def test_answers_stream_while_redis_is_killed_and_emptied(rig: Rig, key: ApiKey, tally: Tally) -> None:
    async with Load(rig, key, SCALE.streams, words=30, interval_ms=40) as load:
        for loss in range(SCALE.redis_losses):
            await load.at_work(load.over)
            # It stores nothing on disk, so each kill also empties it.
            await rig.redis.kill()
            if loss % 2:
                await load.at_work(load.over)
            await rig.redis.start()
            await load.at_work(load.over)
            await rig.redis.client.flushall()
            tally(faults=2)
    found = await audit(rig, key, load.turns)
    wrong = await faults_in(rig.owner_url, key.organization_id, load.turns)
    tally(turns=len(load.turns), streams=SCALE.streams)
    tally(acknowledged=found.acknowledged, lost=found.lost, double_billed=found.double_billed)
    assert (found.acknowledged, found.lost, found.double_billed) == (len(load.turns), 0, 0)
    assert await booked(rig, key) == await billed(rig)
    assert wrong == []
