"""The benchmark's figures as Markdown."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

GOALS_CPU = {"coalesced": 1.2, "uncoalesced": 1.6}
GOAL_FIRST_DELTA = 2.5
GOAL_KIB_PER_TURN = 64
GOAL_ARGUMENTS = 1.2
GOAL_ROUND_TRIPS = "2.0"

NAMES = {
    "bare": "bare relay (grpc.aio + raw HTTP)",
    "typed": "typed SDK loop",
    "uncoalesced": "this server, uncoalesced",
    "coalesced": "this server, coalesced",
    "alone": "the same without Redis",
}


@dataclass(slots=True)
class Cost:
    """One figure per round."""

    cpu_per_delta: list[float] = field(default_factory=list)
    """Seconds of the server's CPU for each delta that the vendor sent."""
    first_delta: list[float] = field(default_factory=list)
    """Seconds from a call to its first text, the vendor's own included; the median of a round."""


@dataclass(slots=True)
class Turns:
    """The database's work for one turn."""

    round_trips: float
    cpu: list[float] = field(default_factory=list)
    """Seconds of the database's CPU, one figure per round."""
    cpu_without_ledger: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Parts:
    """Seconds of CPU, one figure per round."""

    text_delta: list[float] = field(default_factory=list)
    """The server's, for each delta of text that the vendor sent."""
    argument_delta: list[float] = field(default_factory=list)
    """The same for each delta of a tool's arguments, which are as long."""
    text_turn: list[float] = field(default_factory=list)
    """The server's and the database's, for a short turn of text."""
    image_turn: list[float] = field(default_factory=list)
    """The same for a turn with ten stored images."""


def print_costs(costs: Mapping[str, Cost], vendor_first_delta: float) -> None:
    """Prints the targets side by side; ratios are of medians."""
    bare_cpu = statistics.median(costs["bare"].cpu_per_delta)
    bare_added = statistics.median(costs["bare"].first_delta) - vendor_first_delta
    print("| | CPU per delta | × bare | goal | added time to first delta | × bare | goal |")
    print("|---|---|---|---|---|---|---|")
    for name, cost in costs.items():
        cpu = statistics.median(cost.cpu_per_delta)
        added = statistics.median(cost.first_delta) - vendor_first_delta
        ours = name in GOALS_CPU
        cells = [
            NAMES[name],
            f"{cpu * 1e6:.0f} µs",
            f"{cpu / bare_cpu:.2f}",
            _goal(cpu / bare_cpu, GOALS_CPU[name]) if ours else "",
            f"{added * 1e3:.2f} ms",
            f"{added / bare_added:.2f}",
            _goal(added / bare_added, GOAL_FIRST_DELTA) if ours else "",
        ]
        print(f"| {' | '.join(cells)} |")


def print_turns(turns: Turns, memory: float, parts: Parts) -> None:
    """Prints a turn's work in the database, its `memory` in bytes while it waits, and what its parts cost."""
    print()
    print("| one turn | measured | goal |")
    print("|---|---|---|")
    trips = f"{turns.round_trips:.1f}"
    verdict = "met" if trips == GOAL_ROUND_TRIPS else "missed"
    print(f"| database round trips | {trips} | exactly {GOAL_ROUND_TRIPS}: {verdict} |")
    cpu, without = statistics.median(turns.cpu), statistics.median(turns.cpu_without_ledger)
    ratio = f"{cpu / without:.2f} ×" if without else "too little to tell"
    print(f"| database CPU, relative to a turn that is not booked | {ratio} | |")
    held = memory / 1024
    print(f"| memory per open turn | {held:.0f} KiB | {_goal(held, GOAL_KIB_PER_TURN, ' KiB')} |")
    called = _ratio(parts.argument_delta, parts.text_delta)
    print(f"| CPU per delta of arguments, relative to text | {called:.2f} × | {_goal(called, GOAL_ARGUMENTS, ' ×')} |")
    pictured = _ratio(parts.image_turn, parts.text_turn)
    print(f"| CPU of a turn with ten images, relative to text | {pictured:.2f} × | |")


def _ratio(seconds: Sequence[float], base: Sequence[float]) -> float:
    """Returns the ratio of the medians; nan if the base is too little to tell."""
    divisor = statistics.median(base)
    return statistics.median(seconds) / divisor if divisor else math.nan


def _goal(value: float, goal: float, unit: str = "") -> str:
    return f"≤ {goal:g}{unit}: {'met' if value <= goal else 'missed'}"
