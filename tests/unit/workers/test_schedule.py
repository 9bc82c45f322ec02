"""When jobs are due."""

from __future__ import annotations

import pendulum
import pytest
from aichat_workers.registry import JOBS
from aichat_workers.schedule import next_due
from dramatiq import Actor, actor
from dramatiq.brokers.stub import StubBroker
from periodiq import PeriodiqMiddleware, cron


def nothing() -> None:
    """A job of the tests."""


def actors(*schedules: str) -> list[Actor[[], None]]:
    broker = StubBroker(middleware=[PeriodiqMiddleware()])
    return [actor(broker=broker, actor_name=schedule, periodic=cron(schedule))(nothing) for schedule in schedules]


@pytest.mark.parametrize(
    ("now", "moment", "due"),
    [
        ("2026-02-28T23:58:30Z", "2026-02-28T23:59:00Z", ["* * * * *"]),
        ("2026-02-28T23:59:00Z", "2026-03-01T00:00:00Z", ["* * * * *", "0 0 1 * *"]),
        ("2028-02-29T23:59:59.9Z", "2028-03-01T00:00:00Z", ["* * * * *", "0 0 1 * *"]),
    ],
)
def test_all_that_is_due_in_the_next_minute_is(now: str, moment: str, due: list[str]) -> None:
    found, jobs = next_due(actors("* * * * *", "0 0 1 * *"), pendulum.parse(now))  # type: ignore[arg-type]
    assert (found, [job.actor_name for job in jobs]) == (pendulum.parse(moment), due)


def test_every_job_has_a_schedule_and_says_what_it_is_for() -> None:
    now = pendulum.datetime(2026, 1, 31, 12)
    for name, job in JOBS.items():
        assert job.name == name
        assert job.purpose
        assert cron(job.schedule).next_valid_date(now) > now
