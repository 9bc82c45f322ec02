"""How much a machine's own clock may differ from the database's."""

from __future__ import annotations

MOST_SKEW_SECONDS = 120.0
"""The largest allowed difference. NTP keeps clocks within a second."""

_UNITS = (("days", 86_400), ("hours", 3600), ("minutes", 60))


class ClockWrongError(Exception):
    """The database's clock and this machine's differ too much: one of them is wrong, and nobody knows which."""


def tell_skew(seconds: float) -> str:
    """Returns a sentence that says by how much this machine's clock is ahead of the database's."""
    side = "ahead of" if seconds > 0 else "behind"
    for name, unit in _UNITS:
        if abs(seconds) >= 2 * unit:
            return f"this machine's clock is {abs(seconds) / unit:.0f} {name} {side} the database's"
    return f"this machine's clock is {abs(seconds):.0f} s from the database's"
