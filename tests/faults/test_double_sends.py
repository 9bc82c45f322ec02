"""Promise 3: a message that is sent several times at once is answered once, and charged once."""

from __future__ import annotations

import asyncio
import random

from tests.faults.books import audit, billed, booked
from tests.faults.load import MODELS, Turn, hold, marked
from tests.faults.rig import Rig
from tests.faults.scale import SCALE
from tests.fixtures.server import ApiKey
from tests.fixtures.tally import Tally

AT_ONCE = 25
PORTION = 500
# Part of the input came from the vendor's cache, which has separate prices.
CACHED = (
    {"cache_read_input_tokens": 40, "cache_creation_input_tokens": 20},
    {"input_tokens": 100, "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 0}},
    {"promptTokenCount": 90, "cachedContentTokenCount": 50, "toolUsePromptTokenCount": 7},
)


def some_turn(key: ApiKey, chance: random.Random) -> Turn:
    """Returns a turn with token counts that few others have."""
    vendor = chance.randrange(len(MODELS))
    usage = CACHED[vendor] if chance.random() < 0.5 else {}
    # The first attempt of some fails, which the vendor logs and does not bill.
    status = {"status": 529, "fail_times": 1} if chance.random() < 0.05 else {}
    return Turn(key, marked(words=chance.randrange(1, 40), usage=usage, **status), MODELS[vendor])


async def hold_copies(rig: Rig, sent: list[list[Turn]]) -> None:
    """Holds the turns, each by all its copies at once."""
    waiting = iter(sent)

    async def one_by_one() -> None:
        for copies in waiting:
            await asyncio.gather(*(hold(rig, turn) for turn in copies))

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one_by_one())


async def test_the_ledger_equals_the_vendors_bill_to_the_nano_dollar(rig: Rig, key: ApiKey, tally: Tally) -> None:
    chance = random.Random(20260301)
    turns = [some_turn(key, chance) for _ in range(SCALE.double_sends)]
    sent = [
        [turn, *(Turn(key, turn.text, turn.model, request_id=turn.request_id) for _ in range(chance.randrange(1, 5)))]
        for turn in chance.sample(turns, len(turns) * 3 // 10)
    ]
    several = {turn.request_id for turn, *_ in sent}
    sent += [[turn] for turn in turns if turn.request_id not in several]
    chance.shuffle(sent)
    for begin in range(0, len(sent), PORTION):
        await hold_copies(rig, sent[begin : begin + PORTION])
        tally(turns=len(sent[begin : begin + PORTION]))
    found = await audit(rig, key, turns)
    tally(acknowledged=found.acknowledged, lost=found.lost, double_billed=found.double_billed)
    assert (found.acknowledged, found.lost, found.double_billed) == (len(turns), 0, 0)
    for first, *others in sent:
        assert all(turn.completed == first.completed for turn in others)
    bills = await billed(rig)
    assert await booked(rig, key) == bills
    assert sum(bills.values()) == len(turns)
