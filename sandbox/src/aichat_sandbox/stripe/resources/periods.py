"""The billing periods of subscriptions."""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, datetime

_MONTHS = {"month": 1, "year": 12}
_SECONDS = {"day": 86_400, "week": 7 * 86_400}


def period_end(anchor: int, start: int, interval: str, count: int) -> int:
    """Returns when the period that begins at `start` ends, in Unix seconds.

    Months keep the anchor's day, or end on their last day if they are shorter.
    """
    if interval in _SECONDS:
        return start + _SECONDS[interval] * count
    first = datetime.fromtimestamp(anchor, UTC)
    begun = datetime.fromtimestamp(start, UTC)
    months = begun.year * 12 + begun.month - 1 + _MONTHS[interval] * count
    year, month = divmod(months, 12)
    day = min(first.day, monthrange(year, month + 1)[1])
    return int(begun.replace(year=year, month=month + 1, day=day).timestamp())


def part_left(amount: int, start: int, end: int, now: int) -> int:
    """Prorates `amount` to the rest of the period, to the nearest minor unit."""
    return (2 * amount * (end - now) + (end - start)) // (2 * (end - start))
