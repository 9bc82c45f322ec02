"""Promises 1, 3 and 5: whatever happens to turns, the ledger equals a simple model."""

from __future__ import annotations

import asyncio

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.faults.machine import Machine
from tests.faults.rig import Rig
from tests.faults.scale import IS_FULL, SCALE
from tests.faults.threads import waiting
from tests.fixtures.tally import Tally

AS_MUCH_AS_THE_SCALE_SAYS = settings(
    max_examples=SCALE.examples,
    stateful_step_count=SCALE.steps,
    deadline=None,
    derandomize=not IS_FULL,
    suppress_health_check=list(HealthCheck),
)


async def test_the_ledger_equals_a_simple_model(rig: Rig, tally: Tally) -> None:
    class OnTheRig(Machine):
        def teardown(self) -> None:
            super().teardown()
            tally(turns=len(self.charges), faults=self.faults)

    OnTheRig.rig, OnTheRig.wait = rig, staticmethod(waiting())
    await asyncio.to_thread(run_state_machine_as_test, OnTheRig, settings=AS_MUCH_AS_THE_SCALE_SAYS)
