"""The events of jobs that operators can observe."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from aichat_server.jobs.domain.jobs import JobsSeen

TraceContext = Mapping[str, str]
"""What a message carries so that its run joins the same trace; empty without tracing."""


class JobObserver:
    """Observes jobs; this one ignores all events. Must be quick, and must not fail."""

    def queueing(self, name: str) -> AbstractContextManager[TraceContext]:  # noqa: ARG002 — for those that do not ignore it
        """A job is put into the queue; returns the trace that its run joins."""
        return nullcontext({})

    def resuming(self, trace: TraceContext) -> AbstractContextManager[object]:  # noqa: ARG002 — for those that do not ignore it
        """Continues the trace from `queueing` for the code inside."""
        return nullcontext()

    def job(self, name: str) -> AbstractContextManager[object]:  # noqa: ARG002 — for those that do not ignore it
        """A run of a job, for its whole length; an exception means that it failed."""
        return nullcontext()

    def jobs_seen(self, seen: JobsSeen) -> None:
        """The state of all jobs was read."""
