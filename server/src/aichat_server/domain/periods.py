"""Calendar months in UTC, half-open: what happens at the first moment of a month is in it, and in no other."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

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
        """Whether the moment, in whatever time zone it is told, is in the month."""
        return self.start <= moment < self.end


def month(year: int, number: int) -> Month:
    """The month `number`, from 1 to 12, of a year from 1 to 9998; ValueError for others."""
    start = datetime(year, number, 1, tzinfo=UTC)
    return Month(start, datetime(year + number // 12, number % 12 + 1, 1, tzinfo=UTC))


def month_of(moment: datetime) -> Month:
    """The month that a moment is in, in whatever time zone that is told."""
    moment = moment.astimezone(UTC)
    return month(moment.year, moment.month)


def parse_month(name: str) -> Month:
    """The month of a name such as "2026-10"; ValueError if it is none of the years 1970 to 9998."""
    match = _NAME.fullmatch(name)
    if match is None or not 1970 <= int(match[1]) <= 9998:
        raise ValueError(f"{name!r} is no month such as 2026-10")
    return month(int(match[1]), int(match[2]))
