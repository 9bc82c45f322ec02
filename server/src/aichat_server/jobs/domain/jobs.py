"""The state of jobs, and of their queue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from aichat_server.jobs.domain.backlog import Backlog

QUEUE = "jobs"
QUEUE_NAMESPACE = "aichat:{jobs}"
"""The prefix of the queue's keys. A Redis cluster keeps keys with the same text in braces together."""


@dataclass(frozen=True, slots=True)
class JobState:
    """The state of one job, over all its periods."""

    runs: int
    """How often it has begun."""
    failures: int
    """How often it has failed."""
    succeeded_at: datetime | None
    """When it last succeeded; None: never."""
    failing: bool
    """Whether a period's last run failed, and no later run has succeeded for that period."""


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """The number of messages in the queue of jobs."""

    waiting: int
    delayed: int
    """Messages for a later moment."""
    dead: int
    """Messages given up after their last attempt."""


@dataclass(frozen=True, slots=True)
class JobsSeen:
    """The state of all jobs at one moment."""

    backlog: Backlog
    queue: QueueDepth | None
    """None without Redis, or if it is unreachable."""
    states: Mapping[str, JobState]
    """By the job's name; a job that never ran has none."""
    lags: Mapping[str, float]
    """By the job's name: how many seconds the next success has been overdue."""
