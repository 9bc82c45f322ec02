"""The edge's routes for the documents that anybody may read: the OpenAPI document and the reference."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Route = dict[str, Any]

MOST_BYTES = 4 * 1024 * 1024
"""Of a document."""
_MINUTES_FRESH = 5
_TRANSCODER = "envoy.filters.http.grpc_json_transcoder"
_NO_SCRIPTS = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'"


def documents(folder: Path) -> list[Route]:
    """Returns the routes; `folder` has the files."""
    return [
        *_document("/openapi.json", folder / "openapi.json", "application/json"),
        *_document("/docs", folder / "reference.html", "text/html; charset=utf-8"),
    ]


def _document(path: str, file: Path, kind: str) -> Iterator[Route]:
    tag = f'"{hashlib.sha256(file.read_bytes()).hexdigest()[:32]}"'
    headers = {
        "content-type": kind,
        "etag": tag,
        "cache-control": f"public, max-age={_MINUTES_FRESH * 60}",
        "content-security-policy": _NO_SCRIPTS,
        # Any page may read them, without credentials.
        "access-control-allow-origin": "*",
    }
    added = [
        {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        for name, value in headers.items()
    ]
    # The transcoder refuses paths that the contract does not have.
    filters = {_TRANSCODER: {"@type": "type.googleapis.com/envoy.config.route.v3.FilterConfig", "disabled": True}}
    reads = {"name": ":method", "string_match": {"safe_regex": {"regex": "GET|HEAD"}}}
    same = {"name": "if-none-match", "string_match": {"contains": tag}}
    yield {
        "match": {"path": path, "headers": [reads, same]},
        "direct_response": {"status": 304},
        "response_headers_to_add": added,
        "response_headers_to_remove": ["location"],
        "typed_per_filter_config": filters,
    }
    yield {
        "match": {"path": path, "headers": [reads]},
        "direct_response": {"status": 200, "body": {"filename": str(file)}},
        "response_headers_to_add": added,
        "typed_per_filter_config": filters,
    }
