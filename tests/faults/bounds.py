"""Reads the bounds in the tables of docs/faults.md: the tests require these, and no others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "faults.md"
FAULTS = ("silent", "slow", "cut", "gone")
HEARTBEAT_SECONDS = 15.0
"""The longest silence of any stream, as set by `AICHAT_HEARTBEAT_SECONDS` in production."""
ROOM = 2.0
"""The factor by which everything may be slower on a busy machine."""

_ROW = re.compile(r"^\|([^|]+↔[^|]+)\| (\w+) \|([^|]+)\| (\d+) s \| (\d+) s \|$", re.MULTILINE)
_REASON = re.compile(r"`([A-Z_]+)`")


@dataclass(frozen=True, slots=True)
class Bound:
    """A row of a table."""

    reasons: frozenset[str]
    """What calls may fail with: reasons of the contract, or a gRPC status where no server can give a reason."""
    within: float
    """Seconds within which a call that needs the link has failed or continues without it."""
    back: float
    """Seconds after the end of the fault within which everything works again, without intervention."""


def read_bounds() -> dict[tuple[str, str], Bound]:
    """Returns the rows by link and fault."""
    return {
        (link.strip(), fault): Bound(frozenset(_REASON.findall(seen)), float(within), float(back))
        for link, fault, seen, within, back in _ROW.findall(DOCUMENT.read_text())
    }
