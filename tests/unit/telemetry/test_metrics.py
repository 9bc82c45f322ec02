"""Metrics without a part on this machine's platform, and the addresses that metrics may use."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
from aichat_sandbox.ports import free_ports
from aichat_server.core.money import NanoUsd
from aichat_server.jobs.domain.backlog import Backlog
from aichat_server.jobs.domain.jobs import JobsSeen, JobState, QueueDepth
from aichat_server.settings import SettingsError, load_settings
from aichat_server.telemetry.metrics import Metrics, open_metrics
from prometheus_client import CollectorRegistry


def test_runs_of_jobs_are_counted_by_their_outcome() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    with metrics.job("reap"):
        pass
    with pytest.raises(ValueError), metrics.job("reap"):
        raise ValueError
    for outcome in ("succeeded", "failed"):
        assert registry.get_sample_value("aichat_job_runs_total", {"job": "reap", "outcome": outcome}) == 1
    assert registry.get_sample_value("aichat_job_seconds_count", {"job": "reap"}) == 2


def test_the_jobs_are_shown_as_they_were_last_seen() -> None:
    registry = CollectorRegistry()
    metrics = Metrics(registry)
    before = Backlog(5, 2, 3, 4, 1, 1, 7, 2, 6, 7200.0, 6, NanoUsd(1_500_000_000), NanoUsd(2_000_000_000))
    metrics.jobs_seen(JobsSeen(before, QueueDepth(3, 2, 1), {"rollups": JobState(3, 1, None, True)}, {"rollups": 60.0}))
    now = replace(before, open_holds=4, expired_holds=0, due_messages=0, ledger_lag_seconds=0.0)
    ended = datetime(2026, 10, 31, tzinfo=UTC)
    states = {"rollups": JobState(4, 1, ended, False)}
    metrics.jobs_seen(JobsSeen(now, QueueDepth(0, 2, 1), states, {"rollups": 0.0}))

    def value(name: str, **labels: str) -> float | None:
        return registry.get_sample_value(f"aichat_{name}", labels)

    assert value("work_waiting", kind="orphans") == 6
    assert (value("holds", state="open"), value("holds", state="expired")) == (4, 0)
    assert value("ledger_lag_seconds") == 0
    assert (value("work_waiting", kind="messages"), value("work_waiting", kind="parked_webhooks")) == (0, 1)
    assert value("work_waiting", kind="unpaid_invoices") == 6
    assert (value("free_plan_usd", what="used"), value("free_plan_usd", what="limit")) == (1.5, 2.0)
    assert [value("queue_depth", state=state) for state in ("waiting", "delayed", "dead")] == [0, 2, 1]
    assert value("job_last_success_timestamp_seconds", job="rollups") == ended.timestamp()
    assert (value("job_lag_seconds", job="rollups"), value("job_failing", job="rollups")) == (0, 0)


def test_metrics_are_told_as_long_as_they_are_open() -> None:
    [port] = free_ports(1)
    with open_metrics(f"127.0.0.1:{port}"):
        assert "process_cpu_seconds_total" in httpx.get(f"http://127.0.0.1:{port}/metrics").text
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/metrics")


def test_an_address_that_is_taken_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@host/database")
    [port] = free_ports(1)
    with open_metrics(f"127.0.0.1:{port}"):
        told = subprocess.run(
            [sys.executable, "-c", TAKEN.format(address=f"127.0.0.1:{port}")],
            capture_output=True,
            text=True,
            check=True,
        )
    assert told.stdout.startswith(f"AICHAT_METRICS_LISTEN: 127.0.0.1:{port}: ")


TAKEN = """
from aichat_server.app.telemetry import open_telemetry
from aichat_server.settings import Settings, SettingsError
try:
    with open_telemetry(Settings(), "test", "{address}"):
        pass
except SettingsError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AICHAT_METRICS_LISTEN", "9464"),
        ("AICHAT_METRICS_LISTEN", "127.0.0.1:9464,127.0.0.1:9465"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/v1/traces"),
    ],
)
def test_places_that_will_not_do_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://user@host/database")
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=name):
        load_settings()


def test_what_is_off_is_not_even_loaded() -> None:
    program = """
import sys
from aichat_server.app.telemetry import open_telemetry
from aichat_server.settings import Settings
with open_telemetry(Settings(), "test", None) as observer:
    print(type(observer).__name__, {"opentelemetry.sdk", "sentry_sdk"} & set(sys.modules))
"""
    environment = {"DATABASE_URL": "postgresql://user@host/database"}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "Observer set()"
