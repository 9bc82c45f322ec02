"""Ranges are divided by people's calendars and clocks, without a gap."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from aichat_server.usage.domain.periods import Bucket, bounds, cut_hours
from hypothesis import given, settings
from hypothesis import strategies as st

ZONES = [
    "UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe",
    "America/Havana", "Africa/Cairo", "Pacific/Apia", "America/St_Johns",
]  # fmt: skip
HOUR = timedelta(hours=1)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("UTC", (2026, 3, 29), 24),
        ("Europe/Berlin", (2026, 3, 29), 23),
        ("Europe/Berlin", (2026, 10, 25), 25),
        ("America/New_York", (2026, 3, 8), 23),
        ("America/New_York", (2026, 11, 1), 25),
        # Midnight itself is missing, or occurs twice.
        ("Africa/Cairo", (2026, 4, 24), 23),
        ("America/Havana", (2026, 11, 1), 25),
    ],
)
def test_days_are_as_long_as_clocks_make_them(zone: str, day: tuple[int, int, int], hours: int) -> None:
    local = datetime(*day, 12, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    cut = bounds(local - timedelta(days=2), local + timedelta(days=2), Bucket.DAY, ZoneInfo(zone))
    assert [(end - start) / HOUR for start, end in pairwise(cut) if start <= local < end] == [hours]


def test_months_end_where_they_end() -> None:
    cut = bounds(utc(2027, 12, 31), utc(2028, 3, 2), Bucket.MONTH, ZoneInfo("UTC"))
    assert cut == (utc(2027, 12, 31), utc(2028, 1, 1), utc(2028, 2, 1), utc(2028, 3, 1), utc(2028, 3, 2))
    berlin = bounds(utc(2028, 2, 28), utc(2028, 3, 2), Bucket.DAY, ZoneInfo("Europe/Berlin"))
    assert [moment.day for moment in berlin] == [28, 28, 29, 1, 2]


def test_a_bound_of_the_range_is_no_piece_of_its_own() -> None:
    midnight, next_one = utc(2026, 5, 1), utc(2026, 5, 2)
    assert bounds(midnight, next_one, Bucket.DAY, UTC) == (midnight, next_one)
    assert bounds(midnight, next_one, None, UTC) == (midnight, next_one)


def test_half_hours_of_daylight_saving() -> None:
    zone = ZoneInfo("Australia/Lord_Howe")
    night = utc(2026, 4, 4, 13)
    lengths = [(end - start) / HOUR for start, end in pairwise(bounds(night, night + 4 * HOUR, Bucket.HOUR, zone))]
    assert lengths == [1, 1, 0.5, 1, 0.5]


@settings(deadline=None)
@given(
    first=st.integers(0, 50 * 365 * 86_400_000_000).map(lambda late: utc(2000, 1, 1) + timedelta(microseconds=late)),
    length=st.timedeltas(timedelta(microseconds=1), timedelta(days=40)),
    bucket=st.sampled_from([None, *Bucket]),
    zone=st.sampled_from(ZONES),
)
def test_pieces_fill_the_range_and_each_lies_in_one_unit(
    first: datetime, length: timedelta, bucket: Bucket | None, zone: str
) -> None:
    cut = bounds(first, first + length, bucket, ZoneInfo(zone))
    assert (cut[0], cut[-1]) == (first, first + length)
    assert all(one < other for one, other in pairwise(cut))
    form = {None: "", Bucket.HOUR: "%Y-%m-%d %H", Bucket.DAY: "%Y-%m-%d", Bucket.MONTH: "%Y-%m"}[bucket]
    for one, other in pairwise(cut):
        within = (one, one + (other - one) / 2, other - timedelta(microseconds=1))
        assert len({moment.astimezone(ZoneInfo(zone)).strftime(form) for moment in within}) == 1
    hours = cut_hours(cut)
    assert all(
        hour < moment < hour + HOUR for hour in hours for moment in cut if moment - hour < HOUR and moment > hour
    )
    assert {moment.replace(minute=0, second=0, microsecond=0) for moment in cut if moment.timestamp() % 3600} <= set(
        hours
    )
