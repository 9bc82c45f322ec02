"""Metrics of the whole platform, which one process tells for all: the workers'."""

from __future__ import annotations

from dataclasses import asdict

from prometheus_client import CollectorRegistry, Gauge

from aichat_server.domain.backlog import Backlog


class BacklogMetrics:
    """What was seen at the last look."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Fails if the registry has them already."""
        self._holds = Gauge("aichat_holds", "Holds in the database", ("state",), registry=registry)
        self._lag = Gauge(
            "aichat_ledger_lag_seconds", "Age of the oldest closed hour that is not summed up", registry=registry
        )
        self._queues = Gauge("aichat_queue_depth", "Jobs in a queue", ("queue", "state"), registry=registry)

    def show(self, backlog: Backlog) -> None:
        """Replaces what was shown."""
        self._holds.labels("open").set(backlog.open_holds)
        self._holds.labels("expired").set(backlog.expired_holds)
        self._lag.set(backlog.ledger_lag_seconds)
        for queue, depth in backlog.queues.items():
            for state, messages in asdict(depth).items():
                self._queues.labels(queue, state).set(messages)
