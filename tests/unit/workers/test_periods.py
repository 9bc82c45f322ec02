"""Which period a run is for, and as of when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from aichat_server.core.periods import Cadence, parse_period, period_of
from aichat_server.jobs.domain.jobs import JobState
from aichat_workers.lags import lags_at
from aichat_workers.registry import JOBS
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 1, 0, 0, tzinfo=UTC)
# Hypothesis needs them without a time zone, and adds it.
FIRST, LAST = datetime(1971, 1, 1), datetime(2998, 1, 1)  # noqa: DTZ001
MOMENTS = st.datetimes(FIRST, LAST, timezones=st.just(UTC))


@given(moment=MOMENTS, cadence=st.sampled_from(Cadence))
def test_every_moment_is_in_one_period_and_periods_leave_no_gap(moment: datetime, cadence: Cadence) -> None:
    period = period_of(cadence, moment)
    assert period.start <= moment < period.end
    assert period_of(cadence, period.end) == period.next
    assert period.next.previous == period
    assert parse_period(cadence, period.name) == period
    assert period.previous.name < period.name < period.next.name


@pytest.mark.parametrize(
    ("cadence", "name"),
    [
        (Cadence.MONTH, "2026-1"),
        (Cadence.MONTH, "2026-13"),
        (Cadence.MONTH, "2026-10-01"),
        (Cadence.DAY, "2026-02-29"),
        (Cadence.DAY, "2026-10"),
        (Cadence.HOUR, "2026-10-31T24"),
        (Cadence.HOUR, "2026-10-31 05"),
        (Cadence.MONTH, "1969-12"),
        (Cadence.MONTH, ""),
    ],
)
def test_what_is_no_period_is_refused(cadence: Cadence, name: str) -> None:
    with pytest.raises(ValueError, match="such as 2026-10"):
        parse_period(cadence, name)


@pytest.mark.parametrize(
    ("job", "period"), [("invoices", "2026-10"), ("rollups", "2026-10-31T23"), ("warnings", "2026-11-01")]
)
def test_a_run_at_a_boundary_is_about_what_is_over_or_has_begun(job: str, period: str) -> None:
    current = JOBS[job].current(NOW)
    assert current is not None
    assert current.name == period
    assert JOBS[job].moment(current, NOW) == NOW


def test_what_was_missed_is_done_as_of_its_end() -> None:
    warnings = JOBS["warnings"]
    missed = warnings.parse("2026-10-30", NOW, preview=False)
    assert warnings.moment(missed, NOW) == datetime(2026, 10, 31, tzinfo=UTC)


@pytest.mark.parametrize(
    ("job", "period", "preview"),
    [("invoices", "2026-11", False), ("invoices", "2026-12", True), ("purge", "2026-11-02", True)],
)
def test_it_is_too_early_for_some(job: str, period: str, preview: bool) -> None:
    with pytest.raises(ValueError, match=r"is not over|has not begun"):
        JOBS[job].parse(period, NOW, preview=preview)


def test_a_month_that_goes_on_can_be_previewed() -> None:
    assert JOBS["invoices"].parse("2026-11", NOW, preview=True).name == "2026-11"


def test_a_job_is_late_by_what_has_passed_since_it_should_have_succeeded() -> None:
    day = timedelta(days=1)
    states = {
        "orphans": JobState(1, 0, NOW - timedelta(seconds=30), failing=False),
        "invoices": JobState(1, 0, NOW - day, failing=False),
    }
    lags = lags_at(NOW, NOW - 2 * day, states)
    assert lags["orphans"] == 0
    assert lags["invoices"] == (day - timedelta(minutes=20)).total_seconds()
    # It never succeeded: 08:00 of the day after the beginning has passed, and 08:00 of the next one.
    assert lags["warnings"] == timedelta(days=1, hours=16).total_seconds()
    assert lags.keys() == JOBS.keys()
