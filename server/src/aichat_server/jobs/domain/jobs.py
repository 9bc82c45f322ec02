"""What is known of the jobs: how they have been doing, and what waits for them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aichat_server.jobs.domain.backlog import Backlog

QUEUE = "jobs"
QUEUE_NAMESPACE = "aichat:{jobs}"
"""What the queue's keys begin with. A Redis cluster keeps together what is alike in braces."""


@dataclass(frozen=True, slots=True)
class JobState:
    """How one job has been doing, over all of its periods."""

    runs: int
    """How often it has begun."""
    failures: int
    """How often it has failed."""
    succeeded_at: datetime | None
    """When it last came to a good end; None: it never did."""
    failing: bool
    """Whether a period's last run failed, and that period has not been made up for."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many messages a queue of jobs has."""

    waiting: int
    delayed: int
    """To be done at a later moment."""
    dead: int
    """Given up after their last attempt."""


@dataclass(frozen=True, slots=True)
class JobsSeen:
    """One look at all jobs."""

    backlog: Backlog
    queue: QueueDepth | None
    """None without Redis, or if it is away."""
    states: Mapping[str, JobState]
    """By the job's name; a job that never ran has none."""
    lags: Mapping[str, float]
    """By the job's name: for how many seconds the run has been due that should have followed the last good one."""
