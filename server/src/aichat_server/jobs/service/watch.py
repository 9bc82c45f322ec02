"""Observes the state of all jobs."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime

from aichat_server.core.database.database import Database
from aichat_server.core.redis.client import RedisUnavailableError
from aichat_server.jobs.domain.backlog import Backlog
from aichat_server.jobs.domain.jobs import JobsSeen, JobState, QueueDepth
from aichat_server.jobs.domain.observing import JobObserver
from aichat_server.jobs.storage.backlog import read_backlog
from aichat_server.jobs.storage.runs import JobRunRepository

Lags = Callable[[Mapping[str, JobState]], Mapping[str, float]]
"""Computes from each job's state by how many seconds its next success is overdue; includes jobs that never ran."""


class JobsWatch:
    """Observes the jobs of the whole platform."""

    def __init__(
        self, database: Database, queue_depth: Callable[[], Awaitable[QueueDepth]] | None, observer: JobObserver
    ) -> None:
        """`queue_depth`: None without Redis."""
        self._database = database
        self._queue_depth = queue_depth
        self._observer = observer

    async def backlog(self, now: datetime) -> Backlog:
        """Returns the backlog at `now`; raises STORAGE_UNAVAILABLE."""
        async with self._database.platform_session() as session:
            return await read_backlog(session, now)

    async def look(self, now: datetime, lags: Lags) -> JobsSeen:
        """Reads the state of all jobs and reports it to the observer; raises STORAGE_UNAVAILABLE."""
        async with self._database.platform_session() as session:
            backlog, states = await read_backlog(session, now), await JobRunRepository(session).states()
        seen = JobsSeen(backlog, await self._queue(), states, lags(states))
        self._observer.jobs_seen(seen)
        return seen

    async def _queue(self) -> QueueDepth | None:
        if self._queue_depth is None:
            return None
        try:
            return await self._queue_depth()
        except RedisUnavailableError:
            return None
