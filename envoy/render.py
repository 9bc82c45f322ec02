"""Writes Envoy's configuration from envoy.yaml.j2 and the environment: `python envoy/render.py FILE`.

The sandbox and the container both start from what this writes, so the edge is the same in both.
"""

from __future__ import annotations

import base64
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from google.protobuf.any_pb2 import Any
from google.rpc import code_pb2, error_details_pb2, status_pb2
from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).resolve().parent
ERROR_DOMAIN = "aichat.v1"
MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_HEADER_KIB = 60
LOOPBACK_ORIGIN = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?"


class EdgeSettingsError(Exception):
    """The environment does not make a configuration; the message names everything that is wrong with it."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable of the environment that the edge reads."""

    key: str
    """What the template calls it."""
    default: str
    parse: Callable[[str], object]


@dataclass(frozen=True, slots=True)
class EdgeError:
    """An error that Envoy answers by itself, in the terms of the contract."""

    http: int
    code: int
    reason: str
    """The name of an `aichat.v1.ErrorReason`."""
    message: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    and_above: bool = False
    """Stands for every higher HTTP status, too, that has no error of its own."""
    explained: bool = False
    """Envoy's own words follow in JSON: they say what is wrong with it, and where."""

    @property
    def op(self) -> str:
        """How a status is compared with `http`."""
        return "GE" if self.and_above else "EQ"

    @property
    def json_message(self) -> str:
        """The message that a JSON client reads."""
        return f"{self.message}: %LOCAL_REPLY_BODY%" if self.explained else self.message

    @property
    def info(self) -> dict[str, object]:
        """The error's detail as JSON."""
        kind = {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": self.reason, "domain": ERROR_DOMAIN}
        return {**kind, "metadata": dict(self.metadata)}

    @property
    def details_bin(self) -> str:
        """The error as the header `grpc-status-details-bin` carries it."""
        detail = Any()
        detail.Pack(error_details_pb2.ErrorInfo(reason=self.reason, domain=ERROR_DOMAIN, metadata=self.metadata))
        status = status_pb2.Status(code=self.code, message=self.message, details=[detail])
        return base64.b64encode(status.SerializeToString()).decode().rstrip("=")


# The first that fits a status holds.
ERRORS = (
    EdgeError(404, code_pb2.NOT_FOUND, "ROUTE_UNKNOWN", "there is no such path, or it does not take this method"),
    EdgeError(408, code_pb2.DEADLINE_EXCEEDED, "REQUEST_MALFORMED", "the request did not arrive whole in time"),
    EdgeError(
        413,
        code_pb2.RESOURCE_EXHAUSTED,
        "REQUEST_TOO_LARGE",
        f"the request's body is larger than {MAX_BODY_BYTES} bytes",
        {"limit_bytes": str(MAX_BODY_BYTES)},
    ),
    EdgeError(415, code_pb2.INVALID_ARGUMENT, "REQUEST_MALFORMED", "send JSON, as content-type: application/json"),
    EdgeError(
        431,
        code_pb2.INVALID_ARGUMENT,
        "METADATA_TOO_LARGE",
        f"the request's headers are larger than {MAX_HEADER_KIB} KiB",
        {"limit_bytes": str(MAX_HEADER_KIB * 1024)},
    ),
    EdgeError(
        502,
        code_pb2.UNAVAILABLE,
        "SERVER_UNAVAILABLE",
        "no server can take the call, or the one that had it went away",
        and_above=True,
    ),
    EdgeError(
        500, code_pb2.INTERNAL, "INTERNAL", "the edge failed; its log has the call's x-request-id", and_above=True
    ),
    EdgeError(400, code_pb2.INVALID_ARGUMENT, "REQUEST_MALFORMED", "malformed request", and_above=True, explained=True),
)


def read(environ: Mapping[str, str]) -> dict[str, object]:
    """What the variables say, by the names that the template has; EdgeSettingsError names every malformed one."""
    values: dict[str, object] = {}
    problems = []
    for name, variable in VARIABLES.items():
        try:
            values[variable.key] = variable.parse(environ.get(name) or variable.default)
        except ValueError as error:
            problems.append(f"  {name}: {error}")
    if problems:
        raise EdgeSettingsError("\n".join(["these settings are malformed:", *problems]))
    return values


def render(environ: Mapping[str, str]) -> str:
    """Envoy's configuration; EdgeSettingsError names every malformed variable."""
    context = {
        **read(environ),
        "errors": ERRORS,
        "frame_check": str(HERE / "frame_check.lua"),
        "max_body_bytes": MAX_BODY_BYTES,
        "max_header_kib": MAX_HEADER_KIB,
    }
    # The file is YAML, and every value goes in as JSON: nothing in it needs HTML's escapes.
    templates = Environment(loader=FileSystemLoader(HERE), undefined=StrictUndefined, autoescape=False)  # noqa: S701
    return templates.get_template("envoy.yaml.j2").render(context)


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _address(text: str) -> dict[str, object]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text!r} is no host:port")
    return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}


def _addresses(text: str) -> list[dict[str, object]]:
    return [_address(item) for item in _items(text)]


def _collector(text: str) -> dict[str, object] | None:
    if not text:
        return None
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]_-]+/?", text):
        raise ValueError(f"{text!r} is no URL such as http://collector:4318")
    scheme, _, authority = text.rstrip("/").partition("://")
    port = {"http": 80, "https": 443}[scheme]
    with_port = authority if re.search(r":\d+$", authority) else f"{authority}:{port}"
    address = _address(with_port)
    host = with_port.rpartition(":")[0].strip("[]")
    return {"uri": f"{scheme}://{authority}/v1/traces", "address": address, "tls": scheme == "https", "host": host}


def _origins(text: str) -> list[dict[str, str]]:
    """What Envoy holds an origin against."""
    for origin in _items(text):
        if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+", origin):
            raise ValueError(f"{origin!r} is no origin such as https://app.example.com")
    return [{"exact": origin} for origin in _items(text)]


def _development_origins(environment: str) -> list[dict[str, object]]:
    """Pages of this machine, on whatever port, where the platform is developed against."""
    return [{"safe_regex": {"regex": LOOPBACK_ORIGIN}}] if environment == "development" else []


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d+)?", text):
        raise ValueError(f"{text!r} is no number of seconds")
    return float(text)


def _descriptors(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError(f"there is no file {text!r}")
    return text


VARIABLES: Mapping[str, Variable] = {
    "AICHAT_UPSTREAMS": Variable("upstreams", "127.0.0.1:50051", _addresses),
    "AICHAT_EDGE_LISTEN": Variable("listen", "127.0.0.1:8080", _address),
    "AICHAT_EDGE_ADMIN": Variable("admin", "127.0.0.1:9901", _address),
    "AICHAT_EDGE_DESCRIPTORS": Variable("descriptors", str(HERE.parent / "gen/descriptors.binpb"), _descriptors),
    "AICHAT_EDGE_HEALTH_CHECK_SECONDS": Variable("health_check_seconds", "5", float),
    "AICHAT_EDGE_ANNOUNCE_SECONDS": Variable("announce_seconds", "5", _seconds),
    "AICHAT_EDGE_DRAIN_SECONDS": Variable("drain_seconds", "30", _seconds),
    "AICHAT_EDGE_MAX_CONNECTIONS": Variable("max_connections", "10000", int),
    "AICHAT_EDGE_TRUSTED_PROXIES": Variable("trusted_proxies", "0", int),
    "OTEL_EXPORTER_OTLP_ENDPOINT": Variable("collector", "", _collector),
    "CORS_ORIGINS": Variable("cors_origins", "", _origins),
    "AICHAT_ENVIRONMENT": Variable("development_origins", "production", _development_origins),
}
"""Every variable that the edge reads; `.env.example` says what each one means."""


def main() -> int:
    """Writes the file named as the one argument."""
    if len(sys.argv) != 2:
        sys.stderr.write("usage: python envoy/render.py FILE\n")
        return 2
    try:
        Path(sys.argv[1]).write_text(render(os.environ))
    except EdgeSettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
