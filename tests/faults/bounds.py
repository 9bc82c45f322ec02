"""The bounds in the tables of docs/faults.md: the tests hold the platform to these, and to no others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
FAULTS = ("silent", "slow", "cut", "gone")
HEARTBEAT_SECONDS = 15.0
"""The longest silence of any stream, as `AICHAT_HEARTBEAT_SECONDS` has it in production."""
ROOM = 2.0
"""How many times as long everything may take on a machine that does much else beside."""

_ROW = re.compile(r"^\|([^|]+↔[^|]+)\| (\w+) \|([^|]+)\| (\d+) s \| (\d+) s \|$", re.MULTILINE)
_REASON = re.compile(r"`([A-Z_]+)`")


@dataclass(frozen=True, slots=True)
class Bound:
    """A row of a table."""

    reasons: frozenset[str]
    """What calls may fail with: reasons of the contract, or a gRPC status where nobody is left to give a reason."""
    within: float
    """Seconds after which a call that needs the link has failed or goes on without it."""
    back: float
    """Seconds after the end of the fault after which everything works again, by itself."""


def read_bounds() -> dict[tuple[str, str], Bound]:
    """The rows, by link and fault."""
    return {
        (link.strip(), fault): Bound(frozenset(_REASON.findall(seen)), float(within), float(back))
        for link, fault, seen, within, back in _ROW.findall(DOCUMENT.read_text())
    }
