"""The dashboard shows metrics that exist, and the documents describe all of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from aichat_server.telemetry.jobs_metrics import JobsMetrics
from aichat_server.telemetry.metrics import Metrics
from prometheus_client import CollectorRegistry

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/operations/metrics.md"
NAME = re.compile(r"\baichat_[a-z_]+\b")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


def _dashboard() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / "docs/grafana/aichat.json").read_text())
    return loaded


def _metrics() -> dict[str, set[str]]:
    """Returns every metric by its documented name, with the names that queries use."""
    registry = CollectorRegistry()
    Metrics(registry)
    JobsMetrics(registry)
    told = {}
    for family in registry.collect():
        names = {family.name + suffix for suffix in SUFFIXES[family.type]}
        told[family.name + ("_total" if family.type == "counter" else "")] = names
    return told


def test_every_metric_of_the_dashboard_exists_and_every_metric_is_on_it() -> None:
    shown = {
        name for panel in _dashboard()["panels"] for target in panel["targets"] for name in NAME.findall(target["expr"])
    }
    known = _metrics()
    assert not shown - set().union(*known.values())
    assert not {name for name, names in known.items() if not names & shown}


def test_every_metric_is_documented_and_no_other() -> None:
    assert set(re.findall(r"`(aichat_[a-z_]+)`", PAGE.read_text())) - {"aichat_app"} == set(_metrics())


def test_every_alert_is_about_metrics_that_exist() -> None:
    alerts = "".join(re.findall(r"```promql\n(.*?)```", PAGE.read_text(), re.DOTALL))
    asked = set(NAME.findall(alerts))
    assert asked
    assert not asked - set().union(*_metrics().values())


def test_panels_are_distinct() -> None:
    panels = _dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len({panel["title"] for panel in panels}) == len(panels)
    assert len({(panel["gridPos"]["x"], panel["gridPos"]["y"]) for panel in panels}) == len(panels)
