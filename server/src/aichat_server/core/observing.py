"""The events of a process that operators can observe. Each feature declares its own in its domain."""

from __future__ import annotations


class ProcessObserver:
    """Observes the process itself; this one ignores all events. Must be quick, and must not fail."""

    def clock_seen(self, skew: float) -> None:
        """The machine's clock was compared with the database's, and is ahead of it by `skew` seconds."""

    def task_failed(self, name: str) -> None:
        """Background work ended unexpectedly, and is restarted."""
