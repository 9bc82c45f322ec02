"""Divides ranges of time into hours, days or months of a time zone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

_HOUR = timedelta(hours=1)


class Bucket(StrEnum):
    """A unit of calendar time."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


def bounds(start: datetime, end: datetime, bucket: Bucket | None, zone: tzinfo) -> tuple[datetime, ...]:
    """Returns the range's two ends and every moment between them at which a `bucket` begins, ascending, in UTC.

    Each piece is half-open. `start` is before `end`. Days have their real length: 23 or 25 hours when clocks change. A
    day without a midnight begins with its first moment.
    """
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if bucket is None:
        return start, end
    begins = _hours(start, zone) if bucket is Bucket.HOUR else _days(start, zone, months=bucket is Bucket.MONTH)
    found = [start]
    for moment in begins:
        if moment >= end:
            break
        if moment > start:
            found.append(moment)
    return (*found, end)


def cut_hours(moments: tuple[datetime, ...]) -> tuple[datetime, ...]:
    """Returns the hours of UTC that contain one of the moments, other than at their beginning."""
    hours = {moment: moment.replace(minute=0, second=0, microsecond=0) for moment in moments}
    return tuple(sorted({hour for moment, hour in hours.items() if moment != hour}))


def _hours(start: datetime, zone: tzinfo) -> Iterator[datetime]:
    """Yields every beginning of an hour on the clocks of `zone`, which may change within an hour."""
    moment = start
    while True:
        local = moment.astimezone(zone)
        moment += _HOUR - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        yield moment


def _days(start: datetime, zone: tzinfo, *, months: bool) -> Iterator[datetime]:
    """Yields every first midnight of a day, or of a month, in `zone`."""
    day = start.astimezone(zone).date()
    while True:
        day = _next_month(day) if months else day + timedelta(days=1)
        yield datetime.combine(day, time(), zone).astimezone(UTC)


def _next_month(day: date) -> date:
    return date(day.year + day.month // 12, day.month % 12 + 1, 1)
