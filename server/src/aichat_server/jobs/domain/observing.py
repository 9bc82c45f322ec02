"""What operators may want to see of jobs."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from aichat_server.jobs.domain.jobs import JobsSeen

TraceContext = Mapping[str, str]
"""What a message carries so that its run joins the same trace; empty where nobody traces."""


class JobObserver:
    """Hears of jobs; this one ignores them. Must be quick, and must not fail."""

    def queueing(self, name: str) -> AbstractContextManager[TraceContext]:  # noqa: ARG002 — for those that do not ignore it
        """A job is put into the queue, with the trace that its run joins."""
        return nullcontext({})

    def resuming(self, trace: TraceContext) -> AbstractContextManager[object]:  # noqa: ARG002 — for those that do not ignore it
        """What runs within belongs to the trace that `queueing` gave out elsewhere."""
        return nullcontext()

    def job(self, name: str) -> AbstractContextManager[object]:  # noqa: ARG002 — for those that do not ignore it
        """A run of a job, for as long as it takes; an exception says that it failed."""
        return nullcontext()

    def jobs_seen(self, seen: JobsSeen) -> None:
        """All jobs were looked at."""
