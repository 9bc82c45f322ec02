"""What the whole platform has yet to do, as its jobs see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class QueueDepth:
    """How many messages a queue of jobs has."""

    waiting: int
    delayed: int
    """To be done at a later moment."""
    dead: int
    """Given up after their last attempt."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """One look at all of it."""

    open_holds: int
    """Of answers that are being written."""
    expired_holds: int
    """Of answers whose end was never heard of."""
    ledger_lag_seconds: float
    """Since the end of the oldest hour that is over and not summed up; 0 if there is none."""
    queues: Mapping[str, QueueDepth] = field(default_factory=dict)
    """By name."""
