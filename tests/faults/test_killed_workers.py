"""Promise 1: workers are killed at any point while they end lost answers, and each is ended once and charged once."""

from __future__ import annotations

import asyncio
import random

from aichat.v1 import chat_pb2

from tests.faults.books import ledger, prices, running
from tests.faults.lost import ASKED, MODEL, SEEN, lose
from tests.faults.machine import tokens
from tests.faults.rig import Rig
from tests.faults.scale import SCALE
from tests.fixtures.nursery import ForkedProcess, fork
from tests.fixtures.server import ApiKey
from tests.fixtures.tally import Tally
from tests.integration.conversations.asking import refusal, text_of

LOST_AT_ONCE = 10
# About the length of a run, after its code is loaded.
RUN_SECONDS = 0.5


async def worker(rig: Rig) -> ForkedProcess:
    """Starts the command that ends lost answers; returns it as it begins to run."""
    replica = rig.replicas[0]
    return await fork(replica.settings, replica.folder, "aichat_workers", "run", "orphans", errors="worker.log")


async def _run_to_its_end(rig: Rig) -> None:
    """Runs the job, once the last killed one no longer holds it."""
    log = rig.replicas[0].folder / "worker.log"
    async with asyncio.timeout(60):
        while await (await worker(rig)).wait():
            assert log.read_text().splitlines()[-1].startswith("orphans runs already"), log.read_text()


async def test_lost_answers_end_once_whenever_workers_die(rig: Rig, key: ApiKey, tally: Tally) -> None:
    begun = []
    for _ in range(SCALE.worker_kills):
        begun += await lose(rig, key, LOST_AT_ONCE)
        process = await worker(rig)
        await asyncio.sleep(random.uniform(0, RUN_SECONDS))
        if process.returncode is None:
            process.kill()
            tally(faults=1)
        await process.wait()
    await _run_to_its_end(rig)
    asked, answered = (await prices(rig))[MODEL]
    cost = -(-(tokens(ASKED) * asked + tokens(SEEN) * answered) // 10**6)
    events = await ledger(rig, key)
    found = sorted((event["generation_id"], event["state"], event["cost_nano_usd"]) for event in events)
    tally(turns=len(begun), double_billed=len(found) - len({one[0] for one in found}))
    assert found == sorted((one.generation_id, "interrupted", cost) for one in begun)
    assert await running(rig, key) == set()
    for one in begun[::LOST_AT_ONCE]:
        request = chat_pb2.ResumeChatRequest(generation_id=str(one.generation_id))
        refused = await refusal(rig.replicas[0].chat.ResumeChat(request, metadata=key.metadata))
        assert (refused.reason, text_of(refused.seen)) == ("SERVER_LOST", SEEN)
