"""How long to wait between attempts."""

from __future__ import annotations

from datetime import timedelta


def doubled(first: timedelta, longest: timedelta, attempts: int) -> timedelta:
    """The wait when so many attempts, at least one, have failed: each time twice as long, up to the longest."""
    return min(first * (1 << min(attempts - 1, 20)), longest)
