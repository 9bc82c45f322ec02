"""Computes the delay between attempts."""

from __future__ import annotations

from datetime import timedelta


def doubled(first: timedelta, longest: timedelta, attempts: int) -> timedelta:
    """Returns the delay after that many failed attempts, at least one: it doubles each time, up to the longest."""
    return min(first * (1 << min(attempts - 1, 20)), longest)
