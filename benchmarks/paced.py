"""Deltas 20 ms apart, as vendors send them: the cost of each, and how many streams one core can serve.

Only the time in which all streams of a run are open counts; the longest silence of a stream counts from its start.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.deployment import MODEL, Target, paced
from benchmarks.load import Load, Seen, run
from benchmarks.processes import cpu_seconds, leave_measured_core
from benchmarks.vendor import WORD

GOAL_CPU = 80e-6
GOAL_CPU_STREAMS = 40
GOAL_STALL_SECONDS = 1.0
OURS = "coalesced"
NAMES = {
    "bare": "bare relay (grpc.aio + raw HTTP)",
    "ticked": "bare relay that reads by tick",
    OURS: "this server",
}
_PER_SECOND = 50
# Hundreds of users do not begin in the same moment. If they did, this would measure the database.
_APART_SECONDS = 0.01
# The time for the streams to begin, and for the load to end.
_SPARE_SECONDS = 60


@dataclass(slots=True)
class Paced:
    """The results of one target with one number of streams; one figure per round."""

    cpu_per_delta: list[float] = field(default_factory=list)
    """Seconds of the server's CPU."""
    core: list[float] = field(default_factory=list)
    """The share of a core that the server used."""
    longest_gap: list[float] = field(default_factory=list)
    """The longest silence between two events of one stream, in seconds."""


Figures = Mapping[tuple[str, int], Paced]


async def measure_paced(folder: Path, *, streams: Sequence[int], seconds: float, rounds: int) -> Figures:
    """Measures each target with each number of streams, the targets taking turns within each round."""
    leave_measured_core()
    async with paced(folder) as targets:
        found = {(target.name, number): Paced() for number in streams for target in targets}
        for target in targets:
            await _measure(target, streams[0], seconds, Paced())
        for _ in range(rounds):
            for number in streams:
                for target in targets:
                    await _measure(target, number, seconds, found[target.name, number])
    return found


async def _measure(target: Target, streams: int, seconds: float, into: Paced) -> None:
    script = json.dumps({"words": round(_PER_SECOND * (seconds + _SPARE_SECONDS))})
    load = Load(
        target.address, target.key, MODEL, f"#script {script}", streams, one_by_one=False, seconds=None,
        apart_seconds=_APART_SECONDS,
    )  # fmt: skip
    seen = Seen()
    running = asyncio.create_task(run(load, seen))
    while len(seen.first_delta_seconds) < streams and not running.done():
        await asyncio.sleep(0.05)
    began, used, characters = time.perf_counter(), cpu_seconds(target.pid), seen.characters
    await asyncio.wait({running}, timeout=seconds)
    elapsed = time.perf_counter() - began
    used, deltas = cpu_seconds(target.pid) - used, (seen.characters - characters) / len(WORD)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    into.cpu_per_delta.append(used / deltas)
    into.core.append(used / elapsed)
    into.longest_gap.append(seen.longest_gap_seconds)


def print_paced(found: Figures) -> None:
    """Prints the targets side by side; the goals are for this server. All figures are medians."""
    print()
    print("| deltas 20 ms apart | streams | CPU per delta | goal | share of the core | longest gap | goal |")
    print("|---|---|---|---|---|---|---|")
    for (name, streams), figures in found.items():
        cpu, gap = statistics.median(figures.cpu_per_delta), statistics.median(figures.longest_gap)
        cells = [
            NAMES[name],
            str(streams),
            f"{cpu * 1e6:.0f} µs",
            _goal(cpu, GOAL_CPU, "80 µs") if name == OURS and streams == GOAL_CPU_STREAMS else "",
            f"{statistics.median(figures.core):.0%}",
            f"{gap:.2f} s",
            _goal(gap, GOAL_STALL_SECONDS, "1 s") if name == OURS else "",
        ]
        print(f"| {' | '.join(cells)} |")


def _goal(value: float, goal: float, said: str) -> str:
    return f"≤ {said}: {'met' if value <= goal else 'missed'}"
