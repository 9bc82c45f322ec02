"""Whatever a vendor does, each turn ends correctly and is charged correctly."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from tests.faults.books import audit, ledger
from tests.faults.load import MODELS, Turn, follow, marked
from tests.faults.rig import Rig
from tests.fixtures.server import ApiKey
from tests.fixtures.tally import Tally

WORDS = ("Grüße ", "an ", "alle: ", "你好", "🙂")


@dataclass(frozen=True, slots=True)
class Fault:
    """What the vendor does, and the expected result."""

    script: dict[str, Any] = field(hash=False)
    reason: str = ""
    """The reason that the caller gets; several words if vendors differ. Empty: the answer is complete."""
    seen: str = ""
    """The text that the caller gets."""
    charged: str = ""
    """exact, estimated, or nothing."""
    counted: str = ""
    """The same for Gemini, which counts in each chunk, if it differs from `charged`."""


WHOLE = "".join(WORDS)
FAULTS = (
    Fault({"status": 429}, "PROVIDER_RATE_LIMITED"),
    Fault({"status": 529}, "PROVIDER_OVERLOADED"),
    Fault({"status": 500}, "PROVIDER_UNAVAILABLE"),
    Fault({"status": 529, "fail_times": 2}, "", WHOLE, "exact"),
    Fault({"status": 429, "retry_after": 0.1, "fail_times": 1}, "", WHOLE, "exact"),
    Fault({"hang": True}, "PROVIDER_TIMEOUT"),
    Fault({"hang_after": 2}, "PROVIDER_TIMEOUT", "Grüße an ", "estimated"),
    Fault({"cut_after": 2}, "PROVIDER_STREAM_BROKEN", "Grüße an ", "estimated"),
    Fault({"cut_after": 5}, "PROVIDER_STREAM_BROKEN", WHOLE, "estimated"),
    Fault({"error_after": 3}, "PROVIDER_OVERLOADED PROVIDER_UNAVAILABLE", "Grüße an alle: ", "estimated", "exact"),
    Fault({"huge_after": 1}, "PROVIDER_STREAM_BROKEN", "Grüße ", "estimated"),
    Fault({"split_utf8": True}, "", WHOLE, "exact"),
    Fault({"no_usage": True}, "", WHOLE, "estimated"),
    Fault({"stop": "refusal", "deltas": []}, "ANSWER_REFUSED", "", "exact"),
)


async def test_each_of_their_faults_ends_the_turn_correctly(rig: Rig, key: ApiKey, tally: Tally) -> None:
    asked = [(fault, model) for fault in FAULTS for model in MODELS]
    turns = [Turn(key, marked(**({"deltas": WORDS} | fault.script)), model) for fault, model in asked]
    # All at once: one vendor's silence must not delay other turns.
    reasons = await asyncio.gather(*(follow(turn, rig.replicas[0]) for turn in turns))
    found = await audit(rig, key, turns)
    tally(turns=len(turns), faults=len(turns))
    tally(acknowledged=found.acknowledged, lost=found.lost, double_billed=found.double_billed)
    assert (found.lost, found.double_billed) == (0, 0)
    qualities = {event["generation_id"]: event["quality"] for event in await ledger(rig, key)}
    for (fault, model), turn, reason in zip(asked, turns, reasons, strict=True):
        case = f"{model}, {fault.script}"
        assert reason in (fault.reason.split() or [""]), case
        assert turn.seen == fault.seen, case
        charged = qualities.pop(UUID(turn.started.generation_id), "") if turn.started else ""
        gemini = model.startswith("gemini")
        assert charged == (fault.counted or fault.charged if gemini else fault.charged), case
    assert qualities == {}
