"""Metrics of the jobs and their backlog, exported by one process for the whole platform: the workers'."""

from __future__ import annotations

from dataclasses import asdict

from prometheus_client import CollectorRegistry, Gauge

from aichat_server.core.money import to_decimal
from aichat_server.jobs.domain.jobs import JobsSeen


class JobsMetrics:
    """The last observation."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Raises ValueError if the registry has them already."""

        def gauge(name: str, purpose: str, *labels: str) -> Gauge:
            return Gauge(f"aichat_{name}", purpose, labels, registry=registry)

        self._holds = gauge("holds", "Holds in the database", "state")
        self._lag = gauge("ledger_lag_seconds", "Age of the oldest closed hour that is not summed up")
        self._waiting = gauge("work_waiting", "What the jobs have yet to do", "kind")
        self._free = gauge("free_plan_usd", "What all of Free has used and may use this month, in US dollars", "what")
        self._queue = gauge("queue_depth", "Jobs in the queue", "state")
        self._succeeded_at = gauge("job_last_success_timestamp_seconds", "When a job last succeeded", "job")
        self._job_lag = gauge("job_lag_seconds", "For how long a run that should have succeeded has been due", "job")
        self._failing = gauge("job_failing", "1 while a failed run has not been made up for", "job")

    def show(self, seen: JobsSeen) -> None:
        """Replaces the last observation."""
        backlog = seen.backlog
        self._holds.labels("open").set(backlog.open_holds)
        self._holds.labels("expired").set(backlog.expired_holds)
        self._lag.set(backlog.ledger_lag_seconds)
        self._waiting.labels("hours").set(backlog.closed_hours)
        self._waiting.labels("webhooks").set(backlog.due_webhooks)
        self._waiting.labels("parked_webhooks").set(backlog.parked_webhooks)
        self._waiting.labels("graces").set(backlog.ended_graces)
        self._waiting.labels("blocked_invoices").set(backlog.blocked_invoices)
        self._waiting.labels("orphans").set(backlog.orphans)
        self._waiting.labels("unpaid_invoices").set(backlog.unpaid_invoices)
        self._free.labels("used").set(float(to_decimal(backlog.free_plan_used)))
        if backlog.free_plan_limit is not None:
            self._free.labels("limit").set(float(to_decimal(backlog.free_plan_limit)))
        self._waiting.labels("messages").set(backlog.due_messages)
        for waits, messages in asdict(seen.queue).items() if seen.queue else ():
            self._queue.labels(waits).set(messages)
        for job, lag in seen.lags.items():
            self._job_lag.labels(job).set(lag)
        for job, state in seen.states.items():
            self._failing.labels(job).set(state.failing)
            if state.succeeded_at is not None:
                self._succeeded_at.labels(job).set(state.succeeded_at.timestamp())
