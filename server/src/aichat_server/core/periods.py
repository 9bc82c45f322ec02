"""Calendar periods in UTC, half-open: the first moment of a period belongs only to that period."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

_NAME = re.compile(r"(\d{4})-(0[1-9]|1[0-2])", re.ASCII)


@dataclass(frozen=True, slots=True)
class Month:
    """From `start` on and before `end`, which is the next month's start."""

    start: datetime
    end: datetime

    @property
    def name(self) -> str:
        """Such as "2026-10"."""
        return f"{self.start:%Y-%m}"

    def contains(self, moment: datetime) -> bool:
        """Whether the moment, in any time zone, is in the month."""
        return self.start <= moment < self.end


def month(year: int, number: int) -> Month:
    """Returns the month `number`, from 1 to 12, of a year from 1 to 9998; raises ValueError for others."""
    start = datetime(year, number, 1, tzinfo=UTC)
    return Month(start, datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC))


def month_of(moment: datetime) -> Month:
    """Returns the month of a moment in any time zone."""
    moment = moment.astimezone(UTC)
    return month(moment.year, moment.month)


def parse_month(name: str) -> Month:
    """Returns the month with a name such as "2026-10"; raises ValueError if it is not one of the years 1970 to 9998."""
    match = _NAME.fullmatch(name)
    if match is None or not 1970 <= int(match[1]) <= 9998:
        raise ValueError(f"{name!r} is not a month such as 2026-10")
    return month(int(match[1]), int(match[2]))


class Cadence(StrEnum):
    """The length of a job's periods."""

    HOUR = "hour"
    DAY = "day"
    MONTH = "month"


_FORMATS = {Cadence.HOUR: "%Y-%m-%dT%H", Cadence.DAY: "%Y-%m-%d", Cadence.MONTH: "%Y-%m"}
_EXAMPLES = {Cadence.HOUR: "2026-10-31T05", Cadence.DAY: "2026-10-31", Cadence.MONTH: "2026-10"}
# As long as the longest of them, and shorter than two.
_STEPS = {Cadence.HOUR: timedelta(hours=1), Cadence.DAY: timedelta(days=1), Cadence.MONTH: timedelta(days=31)}


@dataclass(frozen=True, slots=True)
class Period:
    """An hour, a day or a month in UTC: from `start` on and before `end`, which is the next one's start."""

    cadence: Cadence
    start: datetime

    @property
    def end(self) -> datetime:
        """The next one's start."""
        return self.next.start

    @property
    def next(self) -> Period:
        """The next period."""
        return period_of(self.cadence, self.start + _STEPS[self.cadence])

    @property
    def previous(self) -> Period:
        """The previous period."""
        return period_of(self.cadence, self.start - timedelta(microseconds=1))

    @property
    def name(self) -> str:
        """Such as "2026-10", "2026-10-31" or "2026-10-31T05"; names of one cadence sort by time."""
        return self.start.strftime(_FORMATS[self.cadence])


def period_of(cadence: Cadence, moment: datetime) -> Period:
    """Returns the period of a moment in any time zone."""
    start = moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if cadence is not Cadence.HOUR:
        start = start.replace(hour=0)
    return Period(cadence, start.replace(day=1) if cadence is Cadence.MONTH else start)


def parse_period(cadence: Cadence, name: str) -> Period:
    """Returns the period with that name; raises ValueError if it is not one of the years 1970 to 9998."""
    try:
        period = Period(cadence, datetime.strptime(name, _FORMATS[cadence]).replace(tzinfo=UTC))
    except ValueError:
        period = None
    # What is read may be written otherwise: 2026-1 is read as a month, too.
    if period is None or period.name != name or not 1970 <= period.start.year <= 9998:
        raise ValueError(f"{name!r} is not a {cadence} such as {_EXAMPLES[cadence]}")
    return period
