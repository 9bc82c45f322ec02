"""Promise 12, the calendar's part: every moment is in exactly one month, wherever clocks change."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from aichat_server.core.periods import month, month_of, parse_month
from hypothesis import given
from hypothesis import strategies as st

TICK = timedelta(microseconds=1)
ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Pacific/Apia", "Asia/Kathmandu")


@given(st.datetimes(datetime(1970, 1, 2), datetime(9000, 1, 1)), st.sampled_from(ZONES))  # noqa: DTZ001 — zoned below
def test_every_moment_is_in_one_month(naive: datetime, zone: str) -> None:
    moment = naive.replace(tzinfo=ZoneInfo(zone))
    found = month_of(moment)
    before, after = month_of(found.start - TICK), month_of(found.end)
    assert [one.contains(moment) for one in (before, found, after)] == [False, True, False]
    assert (before.end, found.end) == (found.start, after.start)


@pytest.mark.parametrize(
    ("name", "days"),
    [("2024-02", 29), ("2026-02", 28), ("2100-02", 28), ("2000-02", 29), ("2026-12", 31), ("2026-03", 31)],
)
def test_months_are_as_long_as_they_are(name: str, days: int) -> None:
    found = parse_month(name)
    assert found.end - found.start == timedelta(days=days)
    assert found.name == name
    assert not found.contains(found.end)
    assert found.contains(found.start)


def test_a_changed_clock_changes_no_month() -> None:
    # In Berlin it is November already, and an hour there occurs twice a week earlier.
    moment = datetime(2026, 11, 1, 0, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert month_of(moment) == month(2026, 10)
    twice = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    assert {month_of(one).name for one in (twice, twice.replace(fold=1))} == {"2026-10"}
    assert month_of(datetime(2026, 10, 31, 23, 59, 59, 999999, tzinfo=UTC)) == month(2026, 10)


@pytest.mark.parametrize(
    "name", ["", "2026", "2026-13", "2026-00", "2026-1", "0001-01", "9999-12", "2026-10-01", "\uff12026-10"]
)
def test_an_invalid_month_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="not a month"):
        parse_month(name)
