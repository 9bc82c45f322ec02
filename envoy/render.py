"""Writes Envoy's configuration from envoy.yaml.j2 and the environment: `python envoy/render.py FILE`.

The sandbox and the container both use this configuration, so the edge is the same in both.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from documents import MOST_BYTES, documents
from edge_errors import MAX_HEADER_KIB, errors
from foreign_errors import mappers
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from routes import SMALL_BYTES, limits, routes
from rpcs import Contract

HERE = Path(__file__).resolve().parent
# Set on every response that does not set them itself.
SAFE_HEADERS = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "frame-ancestors 'none'",
}
LOOPBACK_ORIGIN = r"https?://(localhost|127\.0\.0\.1|\[::1\])(:[0-9]+)?"


class EdgeSettingsError(Exception):
    """The environment has invalid settings; the message names each of them."""


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that the edge reads."""

    key: str
    """Its name in the template."""
    default: str
    parse: Callable[[str], object]


def read(environ: Mapping[str, str]) -> dict[str, object]:
    """Returns the variables' values by their names in the template.

    Raises EdgeSettingsError, naming every malformed variable.
    """
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
    """Returns Envoy's configuration; raises EdgeSettingsError, naming every malformed variable."""
    context = read(environ)
    context |= _from_contract(str(context["descriptors"]), _allowed(context))
    # The file is YAML and every value is inserted as JSON, so HTML escapes would be wrong.
    templates = Environment(loader=FileSystemLoader(HERE), undefined=StrictUndefined, autoescape=False)  # noqa: S701
    return templates.get_template("envoy.yaml.j2").render(context)


def _allowed(context: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns Envoy's matchers for the origins of pages that may call."""
    return [*context["cors_origins"], *context["development_origins"]]


def _from_contract(descriptors: str, origins: list[dict[str, Any]]) -> dict[str, object]:
    contract = Contract(Path(descriptors))
    return {
        "errors": errors(limits(contract.rpcs), SMALL_BYTES),
        "foreign_mappers": mappers(contract.rpcs, SMALL_BYTES),
        "origins": origins,
        "routes": [*documents(HERE.parent / "gen"), *routes(contract.rpcs, descriptors, origins)],
        "document_bytes": MOST_BYTES,
        "services": list(dict.fromkeys(rpc.service for rpc in contract.rpcs if not rpc.foreign_api)),
        "small_bytes": SMALL_BYTES,
        "max_header_kib": MAX_HEADER_KIB,
        "safe_headers": SAFE_HEADERS,
        "on_linux": sys.platform == "linux",
        **{
            check: str(HERE / f"{check}.lua")
            for check in ("header_check", "refusal", "credentials_check", "frame_check", "json_check", "foreign_api")
        },
    }


def _items(text: str) -> list[str]:
    return [item.strip() for item in text.split(",") if item.strip()]


def _address(text: str) -> dict[str, object]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{text!r} is not a host:port")
    return {"socket_address": {"address": host.strip("[]"), "port_value": int(port)}}


def _addresses(text: str) -> list[dict[str, object]]:
    return [_address(item) for item in _items(text)]


def _collector(text: str) -> dict[str, object] | None:
    if not text:
        return None
    if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]_-]+/?", text):
        raise ValueError(f"{text!r} is not a URL such as http://collector:4318")
    scheme, _, authority = text.rstrip("/").partition("://")
    port = {"http": 80, "https": 443}[scheme]
    with_port = authority if re.search(r":\d+$", authority) else f"{authority}:{port}"
    address = _address(with_port)
    host = with_port.rpartition(":")[0].strip("[]")
    return {"uri": f"{scheme}://{authority}/v1/traces", "address": address, "tls": scheme == "https", "host": host}


def _origins(text: str) -> list[dict[str, str]]:
    """Returns Envoy's matchers for the allowed origins."""
    for origin in _items(text):
        if not re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+", origin):
            raise ValueError(f"{origin!r} is not an origin such as https://app.example.com")
    return [{"exact": origin} for origin in _items(text)]


def _development_origins(environment: str) -> list[dict[str, object]]:
    """Returns matchers for pages of this machine on any port, if the environment is for development."""
    return [{"safe_regex": {"regex": LOOPBACK_ORIGIN}}] if environment == "development" else []


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d+)?", text):
        raise ValueError(f"{text!r} is not a number of seconds")
    return float(text)


def _descriptors(text: str) -> str:
    if not Path(text).is_file():
        raise ValueError(f"the file does not exist: {text!r}")
    return text


VARIABLES: Mapping[str, Variable] = {
    "AICHAT_UPSTREAMS": Variable("upstreams", "127.0.0.1:50051", _addresses),
    "AICHAT_EDGE_LISTEN": Variable("listen", "127.0.0.1:8080", _address),
    "AICHAT_EDGE_ADMIN": Variable("admin", "127.0.0.1:9901", _address),
    "AICHAT_EDGE_DESCRIPTORS": Variable("descriptors", str(HERE.parent / "gen/descriptors.binpb"), _descriptors),
    "AICHAT_EDGE_HEALTH_CHECK_SECONDS": Variable("health_check_seconds", "1", float),
    "AICHAT_EDGE_ANNOUNCE_SECONDS": Variable("announce_seconds", "5", _seconds),
    "AICHAT_EDGE_DRAIN_SECONDS": Variable("drain_seconds", "30", _seconds),
    "AICHAT_EDGE_MAX_CONNECTIONS": Variable("max_connections", "10000", int),
    "AICHAT_EDGE_MEMORY_MIB": Variable("memory_mib", "384", int),
    "AICHAT_EDGE_TRUSTED_PROXIES": Variable("trusted_proxies", "0", int),
    "OTEL_EXPORTER_OTLP_ENDPOINT": Variable("collector", "", _collector),
    "CORS_ORIGINS": Variable("cors_origins", "", _origins),
    "AICHAT_ENVIRONMENT": Variable("development_origins", "production", _development_origins),
}
"""Every variable that the edge reads; `.env.example` explains each one."""


def main() -> int:
    """Writes the file that the only argument names."""
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
