"""The edge's template renders a configuration that Envoy accepts and that means what we intend."""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aichat_server.settings import Settings
from google.api import annotations_pb2 as http_annotations
from ruamel.yaml import YAML

from tests.fixtures.contract import services

ROOT = Path(__file__).resolve().parents[3]
ENVOY = Path(sys.executable).with_name("envoy")
COMPOSE_LIKE = {
    "AICHAT_UPSTREAMS": "server:50051,server:50052",
    "AICHAT_EDGE_LISTEN": "0.0.0.0:8080",
    "CORS_ORIGINS": "https://app.example.com, http://localhost:3000",
}


def render(target: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "envoy" / "render.py"), str(target)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


TRACED = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
TRACED_OVER_TLS = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://collector.example/"}


@pytest.fixture(scope="module", params=[{}, COMPOSE_LIKE], ids=["defaults", "compose"])
def config(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("edge") / "envoy.yaml"
    done = render(target, request.param)
    assert done.returncode == 0, done.stderr
    return target


@cache
def whole(config: Path) -> dict[str, Any]:
    """Returns a configuration; reading it takes a second."""
    loaded: dict[str, Any] = YAML(typ="safe").load(config.read_text())
    return loaded


def manager(config: Path) -> dict[str, Any]:
    """Returns the part of the configuration that serves HTTP."""
    [listener] = whole(config)["static_resources"]["listeners"]
    [chain] = listener["filter_chains"]
    served: dict[str, Any] = chain["filters"][0]["typed_config"]
    return served


@pytest.mark.parametrize("environment", [{}, COMPOSE_LIKE, TRACED, TRACED_OVER_TLS])
def test_envoy_takes_it(tmp_path: Path, environment: dict[str, str]) -> None:
    config = tmp_path / "envoy.yaml"
    assert render(config, environment).returncode == 0
    command = [str(ENVOY), "--mode", "validate", "--config-path", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "eprecated" not in done.stderr


@pytest.mark.parametrize(("environment", "count"), [("production", 0), ("development", 1)])
def test_pages_of_this_machine_may_call_in_development_alone(tmp_path: Path, environment: str, count: int) -> None:
    assert render(tmp_path / "envoy.yaml", {"AICHAT_ENVIRONMENT": environment}).returncode == 0
    [host] = manager(tmp_path / "envoy.yaml")["route_config"]["virtual_hosts"]
    allowed = host["typed_per_filter_config"]["envoy.filters.http.cors"]["allow_origin_string_match"]
    assert [set(origin) for origin in allowed] == [{"safe_regex"}] * count


def test_a_quiet_stream_is_not_cut(config: Path) -> None:
    served = manager(config)
    [host] = served["route_config"]["virtual_hosts"]
    routes = [route["route"] for route in host["routes"] if "route" in route]
    assert routes
    # 0 means no limit; the default would end every stream after 15 seconds.
    assert {route["timeout"] for route in routes} == {"0s"}
    assert all("max_stream_duration" not in route for route in routes)
    assert "max_stream_duration" not in served["common_http_protocol_options"]
    heartbeat = Settings.model_fields["heartbeat_seconds"].default
    assert float(served["stream_idle_timeout"].rstrip("s")) > 4 * heartbeat
    # Clients of other companies' APIs wait 10 minutes for a whole answer, before which nothing is sent.
    whole_answers = [route["idle_timeout"] for route in routes if "idle_timeout" in route]
    assert whole_answers
    assert all(float(most.rstrip("s")) > 600 for most in whole_answers)


def test_memory_streams_and_silence_are_bounded(config: Path) -> None:
    loaded = whole(config)
    monitors = {monitor["name"] for monitor in loaded["overload_manager"]["resource_monitors"]}
    assert "envoy.resource_monitors.fixed_heap" in monitors
    actions = {
        action["name"].removeprefix("envoy.overload_actions.") for action in loaded["overload_manager"]["actions"]
    }
    assert {
        "shrink_heap",
        "reset_high_memory_stream",
        "stop_accepting_requests",
        "stop_accepting_connections",
    } <= actions
    [listener] = loaded["static_resources"]["listeners"]
    assert listener["listener_filters_timeout"] == "10s"
    served = manager(config)
    assert served["http2_protocol_options"]["max_concurrent_streams"] <= 100
    assert float(served["common_http_protocol_options"]["idle_timeout"].rstrip("s")) <= 900


def test_large_bodies_are_for_conversations_files_and_webhooks_alone(config: Path) -> None:
    [host] = manager(config)["route_config"]["virtual_hosts"]
    buffers = [
        (route["match"], route["typed_per_filter_config"].get("envoy.filters.http.buffer")) for route in host["routes"]
    ]
    large = {
        str(match) for match, buffer in buffers if buffer and buffer["buffer"]["max_request_bytes"] > 64 * 1024 + 5
    }
    assert large
    allowed = "StreamChat|chat:stream|CountTokens|chat:countTokens|UploadFile|/files|StripeWebhook|stripe/webhook"
    allowed += "|CreateChatCompletion|/completions|CreateResponse|/responses|CreateOpenAIEmbeddings|/embeddings"
    allowed += "|CreateEmbeddings|CreateMessage|CountMessageTokens|/messages"
    assert all(re.search(allowed, match) for match in large)


def test_every_call_of_the_contract_has_its_routes(config: Path) -> None:
    [host] = manager(config)["route_config"]["virtual_hosts"]
    matches = [route["match"] for route in host["routes"]]
    for service in services():
        for method in service.methods:
            assert any(match.get("path") == f"/{service.full_name}/{method.name}" for match in matches)
            rule = method.GetOptions().Extensions[http_annotations.http]
            path = re.sub(r"\{\w+\}", "an-id", getattr(rule, rule.WhichOneof("pattern")))
            assert any(re.fullmatch(match["safe_regex"]["regex"], path) for match in matches if "safe_regex" in match)


def test_what_a_server_may_have_begun_is_sent_again_if_it_only_reads(config: Path) -> None:
    [host] = manager(config)["route_config"]["virtual_hosts"]
    policies = [
        (str(route["match"]), set(route["route"]["retry_policy"]["retry_on"].split(",")))
        for route in host["routes"]
        if "route" in route
    ]
    unbegun = {"connect-failure", "refused-stream"}
    assert all(conditions in (unbegun, {*unbegun, "reset"}) for _, conditions in policies)
    repeated = {match for match, conditions in policies if "reset" in conditions}
    # A gRPC path ends with the RPC's name, and an HTTP route has its verb beside it.
    names = {found[1] for match in repeated if (found := re.search(r"'path': '/[\w.]+/(\w+)'", match))}
    assert all(
        name.startswith(("Get", "List", "Query", "Export", "Resume", "Show", "Verify", "Download", "Retrieve"))
        for name in names
    )
    assert {"GetConversation", "ListModels", "ResumeChat"} <= names
    assert all("'path'" in match or "GET" in match for match in repeated)


def test_the_log_holds_no_credentials(config: Path) -> None:
    [log] = manager(config)["access_log"]
    logged = str(log["typed_config"]["log_format"]).lower()
    assert "path(nq" in logged
    for secret in ("authorization", "cookie", "%req(:path"):
        assert secret not in logged


def test_everything_malformed_is_named_at_once(tmp_path: Path) -> None:
    wrong = {
        "AICHAT_UPSTREAMS": "server",
        "AICHAT_EDGE_LISTEN": "0.0.0.0:99999",
        "AICHAT_EDGE_HEALTH_CHECK_SECONDS": "soon",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318",
        "CORS_ORIGINS": "app.example.com",
    }
    done = render(tmp_path / "envoy.yaml", wrong)
    assert done.returncode == 1
    assert all(f"  {name}: " in done.stderr for name in wrong)
    assert not (tmp_path / "envoy.yaml").exists()


@pytest.mark.parametrize("origin", ["https://a.example/", "https://a.example/path", "*", "null", 'https://a"b.example'])
def test_only_origins_are_allowed_origins(tmp_path: Path, origin: str) -> None:
    assert render(tmp_path / "envoy.yaml", {"CORS_ORIGINS": origin}).returncode == 1
