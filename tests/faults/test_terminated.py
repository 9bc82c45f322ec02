"""Promise 16: on SIGTERM no answer is lost; one that outlasts the grace period ends as interrupted, and is stored."""

from __future__ import annotations

import asyncio
from uuid import UUID

from aichat.v1 import messages_pb2

from tests.faults.books import audit, history_of, ledger
from tests.faults.load import MODELS, Turn, follow, marked
from tests.faults.rig import Rig
from tests.faults.scale import SCALE
from tests.fixtures.server import ApiKey
from tests.fixtures.tally import Tally
from tests.integration.conversations.asking import eventually


async def test_a_server_that_shuts_down_loses_no_stream(rig: Rig, key: ApiKey, tally: Tally) -> None:
    leaving, staying = rig.replicas
    # Every other answer has an end; for the rest the vendor never sends it.
    scripts = ({"words": 20, "interval_ms": 50}, {"words": 6, "idle_after": 5})
    turns = [Turn(key, marked(**scripts[n % 2]), MODELS[n % len(MODELS)]) for n in range(SCALE.drained)]
    readers = asyncio.gather(*(follow(turn, leaving) for turn in turns))

    async def words() -> int:
        return sum(bool(turn.seen) for turn in turns)

    await eventually(words, lambda count: count == len(turns))
    assert await leaving.drain() == 0
    reasons = await readers
    found = await audit(rig, key, turns)
    tally(turns=len(turns), streams=len(turns), faults=1)
    tally(acknowledged=found.acknowledged, lost=found.lost, double_billed=found.double_billed)
    assert (found.lost, found.double_billed) == (0, 0)
    charges = {event["generation_id"]: event for event in await ledger(rig, key)}
    for turn, reason in zip(turns, reasons, strict=True):
        if turn.completed is not None:
            continue
        assert reason == "SERVER_DRAINING"
        assert turn.started is not None
        _, partial = await history_of(staying, turn)
        assert partial.state == messages_pb2.MESSAGE_STATE_INTERRUPTED
        assert partial.parts[0].text.text == turn.seen
        charge = charges[UUID(turn.started.generation_id)]
        assert (charge["quality"], charge["estimate_reason"]) == ("estimated", "SERVER_DRAINING")
    assert found.acknowledged <= len(turns) // 2
    assert len(charges) == len(turns)
