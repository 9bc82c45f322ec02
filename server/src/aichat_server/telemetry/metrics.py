"""Metrics for Prometheus, on an address of their own. docs/operations/metrics.md explains each one."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, start_http_server

from aichat_server.core.errors import Reason
from aichat_server.generations.domain.observing import GenerationEnded
from aichat_server.identity.domain.observing import KeyRefusal
from aichat_server.jobs.domain.jobs import JobsSeen
from aichat_server.models.domain.usage import KINDS
from aichat_server.providers.domain.observing import AfterFailure
from aichat_server.telemetry.jobs_metrics import JobsMetrics
from aichat_server.telemetry.observing import Observer
from aichat_server.transport.observing import SeenCall

_CALL_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300)
_FIRST_DELTA_SECONDS = (0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 3, 5, 10, 20, 30, 60)
_JOB_SECONDS = (0.1, 0.5, 1, 5, 10, 30, 60, 300, 900, 3600)


class Metrics(Observer):
    """Counts what this process does. Nothing is counted per delta: an answer's deltas are added at its end."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Raises ValueError if the registry has them already."""

        def counter(name: str, purpose: str, *labels: str) -> Counter:
            return Counter(f"aichat_{name}", purpose, labels, registry=registry)

        self._calls = counter("rpc_calls", "Calls that ended", "method", "code", "reason")
        self._call_seconds = Histogram(
            "aichat_rpc_seconds", "How long calls took", ("method",), registry=registry, buckets=_CALL_SECONDS
        )
        self._calls_open = Gauge("aichat_rpc_open", "Calls and streams that are open", ("method",), registry=registry)
        self._running = Gauge(
            "aichat_generations_running", "Answers being written, each with its hold", registry=registry
        )
        self._generations = counter("generations", "Answers that ended", "provider", "model", "state", "reason")
        self._generation_seconds = Histogram(
            "aichat_generation_seconds", "How long vendors took to answer", ("provider",), registry=registry,
            buckets=_CALL_SECONDS,
        )  # fmt: skip
        self._first_delta_seconds = Histogram(
            "aichat_first_delta_seconds", "How long vendors took to their first word", ("provider",), registry=registry,
            buckets=_FIRST_DELTA_SECONDS,
        )  # fmt: skip
        self._deltas = counter("deltas", "Deltas that vendors sent", "provider")
        self._tokens = counter("tokens", "Tokens used", "provider", "model", "kind")
        self._vendor_failures = counter(
            "vendor_failures", "Failures before an answer began", "provider", "reason", "then"
        )
        self._unchecked = counter("quota_unchecked", "Turns that went on though their quotas could not be checked")
        self._continued = counter("calls_continued", "Calls that continued an earlier answer")
        self._abandoned = counter("answers_abandoned", "Answers cancelled since nobody read them")
        self._task_failures = counter("task_failures", "Background tasks ended", "task")
        self._skew = Gauge("aichat_clock_skew_seconds", "How far the clock is ahead of Postgres's", registry=registry)
        self._keys_refused = counter("keys_refused", "Calls with a bad API key", "why")
        self._jobs = counter("job_runs", "Runs of jobs", "job", "outcome")
        self._job_seconds = Histogram(
            "aichat_job_seconds", "How long runs of jobs took", ("job",), registry=registry, buckets=_JOB_SECONDS
        )
        self._registry = registry
        self._jobs_seen: JobsMetrics | None = None

    @contextmanager
    def call(self, call: SeenCall) -> Iterator[None]:
        """Counts the call."""
        name = call.method.rpartition("/")[2]
        calls_open = self._calls_open.labels(name)
        calls_open.inc()
        began = time.perf_counter()
        try:
            yield
        finally:
            calls_open.dec()
            self._calls.labels(name, call.status, call.reason or "").inc()
            self._call_seconds.labels(name).observe(time.perf_counter() - began)

    @contextmanager
    def job(self, name: str) -> Iterator[None]:
        """Counts the run."""
        began = time.perf_counter()
        outcome = "failed"
        try:
            yield
            outcome = "succeeded"
        finally:
            self._jobs.labels(name, outcome).inc()
            self._job_seconds.labels(name).observe(time.perf_counter() - began)

    def jobs_seen(self, seen: JobsSeen) -> None:
        """Shows the jobs' state. A process that never observes jobs shows none."""
        self._jobs_seen = self._jobs_seen or JobsMetrics(self._registry)
        self._jobs_seen.show(seen)

    def clock_seen(self, skew: float) -> None:
        """Sets the gauge."""
        self._skew.set(skew)

    def watch_generations(self, running: Callable[[], int]) -> None:
        """Reads the values when they are scraped."""
        self._running.set_function(running)

    def key_refused(self, why: KeyRefusal) -> None:
        """Counts the call."""
        self._keys_refused.labels(why).inc()

    def quota_unchecked(self) -> None:
        """Counts the turn."""
        self._unchecked.inc()

    def vendor_failed(self, provider: str, reason: Reason, then: AfterFailure) -> None:
        """Counts the failure."""
        self._vendor_failures.labels(provider, reason, then).inc()

    def task_failed(self, name: str) -> None:
        """Counts the end."""
        self._task_failures.labels(name).inc()

    def generation_ended(self, ended: GenerationEnded) -> None:
        """Counts the answer and its usage."""
        self._generations.labels(ended.provider, ended.model, ended.state, ended.reason or "").inc()
        self._generation_seconds.labels(ended.provider).observe(ended.seconds)
        if ended.first_delta_seconds is not None:
            self._first_delta_seconds.labels(ended.provider).observe(ended.first_delta_seconds)
        self._deltas.labels(ended.provider).inc(ended.deltas)
        for kind in KINDS:
            self._tokens.labels(ended.provider, ended.model, kind.name).inc(getattr(ended.usage, kind.name))

    def call_continued(self) -> None:
        """Counts the call."""
        self._continued.inc()

    def answer_abandoned(self) -> None:
        """Counts the answer."""
        self._abandoned.inc()


@contextmanager
def open_metrics(address: str) -> Iterator[CollectorRegistry]:
    """Serves a registry at `address` ("host:port") from a thread; raises OSError if the address is taken.

    It has the process's own figures: CPU, memory, open files.
    """
    host, _, port = address.rpartition(":")
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    server, thread = start_http_server(int(port), host.strip("[]"), registry)
    try:
        yield registry
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
