"""Computes how late jobs are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pendulum
from aichat_server.jobs.domain.jobs import JobState
from periodiq import cron

from aichat_workers.registry import JOBS


def lags_at(now: datetime, begun: datetime, states: Mapping[str, JobState]) -> dict[str, float]:
    """Returns by how many seconds each job's next success is overdue at `now`; 0 if it is in time.

    A job that never succeeded counts from `begun`.
    """
    return {name: _lag(name, now, begun, states.get(name)) for name in JOBS}


def _lag(name: str, now: datetime, begun: datetime, state: JobState | None) -> float:
    last = state.succeeded_at if state and state.succeeded_at else begun
    due: datetime = cron(JOBS[name].schedule).next_valid_date(pendulum.instance(last.astimezone(UTC)))
    return max(0.0, (now - due).total_seconds())
