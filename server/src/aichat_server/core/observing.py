"""What operators may want to see of a process. Each feature says in its domain what it tells; `telemetry` shows it."""

from __future__ import annotations


class ProcessObserver:
    """Hears of the process itself; this one ignores it. Must be quick, and must not fail."""

    def clock_seen(self, skew: float) -> None:
        """The clock of this machine was compared with the database's, and is ahead of it by `skew` seconds."""

    def task_failed(self, name: str) -> None:
        """Work in the background ended, which never should, and is started again."""
