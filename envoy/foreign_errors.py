"""Words the edge's own errors as the APIs of other companies do, under the paths of these APIs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from edge_errors import EdgeError, errors
from google.rpc import code_pb2
from rpcs import Rpc

REQUEST_ID = "%REQ(X-REQUEST-ID)%"
"""Stands for the call's id in a body, for Envoy and for foreign_api.lua."""

Body = dict[str, Any]

# As the server tells these failures.
_OPENAI_CODES: Mapping[str, str] = MappingProxyType(
    {"CREDENTIALS_INVALID": "invalid_api_key", "ROUTE_UNKNOWN": "unknown_url"}
)
_ANTHROPIC_TYPES: Mapping[int, str] = MappingProxyType(
    {
        401: "authentication_error",
        403: "permission_error",
        404: "not_found_error",
        413: "request_too_large",
        504: "timeout_error",
        529: "overloaded_error",
    }
)
_OVERLOADED = 529
_PACKED = EdgeError(
    415,
    code_pb2.INVALID_ARGUMENT,
    "REQUEST_MALFORMED",
    "send the body as it is, or compressed once: with content-encoding gzip or zstd",
)
_LATE = EdgeError(504, code_pb2.DEADLINE_EXCEEDED, "SERVER_UNAVAILABLE", "the server did not answer in time")
# What gRPC itself says of a call in a server, or for one: no server words these.
_FROM_GRPC = (
    _LATE,
    EdgeError(413, code_pb2.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE", "the request is too large"),
    EdgeError(404, code_pb2.UNIMPLEMENTED, "ROUTE_UNKNOWN", "the server does not have this path"),
    EdgeError(503, code_pb2.UNAVAILABLE, "SERVER_UNAVAILABLE", "no server can serve the call", retry_after=1),
    EdgeError(500, code_pb2.INTERNAL, "INTERNAL", "the server failed; its log has the call's x-request-id"),
)


def mappers(rpcs: Sequence[Rpc], small_bytes: int) -> list[dict[str, Any]]:
    """Returns what Envoy answers by itself under these APIs' paths: mappers of its local replies, in their order."""
    return [
        _mapper(api, path, error)
        for api in _apis(rpcs)
        for path in [_paths(api, rpcs)]
        for error in (_PACKED, _LATE, *errors(_limits(api, rpcs, small_bytes), small_bytes))
    ]


def from_grpc(api: str) -> dict[str, dict[str, str]]:
    """Returns the responses to gRPC's own errors, by gRPC's code."""
    return {
        str(error.code): {
            "status": str(_status(api, error)),
            "body": json.dumps(_BODIES[api](error, _status(api, error))),
            **({"retry_after": str(error.retry_after)} if error.retry_after else {}),
        }
        for error in _FROM_GRPC
    }


def _apis(rpcs: Sequence[Rpc]) -> list[str]:
    return list(dict.fromkeys(rpc.foreign_api for rpc in rpcs if rpc.foreign_api))


def _limits(api: str, rpcs: Sequence[Rpc], small_bytes: int) -> dict[str, int]:
    large = [rpc for rpc in rpcs if rpc.foreign_api == api and rpc.max_request_bytes != small_bytes]
    return {f"{path}(\\?.*)?": rpc.max_request_bytes for rpc in large for path in rpc.patterns}


def _paths(api: str, rpcs: Sequence[Rpc]) -> str:
    """Returns the regular expression of all paths below an API's roots, also of those that do not exist."""
    templates = [template for rpc in rpcs if rpc.foreign_api == api for template in rpc.templates]
    begins = {template.partition("{")[0] for template in templates if not template.startswith(f"/{api}/")}
    return "|".join([f"/{api}([/?].*)?", *map(_below, sorted(begins))])


def _below(begin: str) -> str:
    return re.escape(begin) + (".*" if begin.endswith("/") else "([/?].*)?")


def _mapper(api: str, path: str, error: EdgeError) -> dict[str, Any]:
    # An error that stands for several statuses leaves them as they are.
    kept = error.and_above and _status(api, error) == error.http
    added = {"request-id": REQUEST_ID, **({"retry-after": str(error.retry_after)} if error.retry_after else {})}
    return {
        "filter": {"and_filter": {"filters": list(_conditions(path, error))}},
        **({} if kept else {"status_code": _status(api, error)}),
        "headers_to_add": [{"header": {"key": key, "value": value}} for key, value in added.items()],
        "body_format_override": {"json_format": _BODIES[api](error, _status(api, error))},
    }


def _conditions(path: str, error: EdgeError) -> Iterator[dict[str, Any]]:
    compared = {"op": error.op, "value": {"default_value": error.http, "runtime_key": "unused"}}
    yield {"status_code_filter": {"comparison": compared}}
    # Calls that are transcoded already have their path in another header.
    yield {"or_filter": {"filters": [_header(name, path) for name in (":path", "x-envoy-original-path")]}}
    if error.path:
        yield _header(":path", error.path)
    if error.unknown:
        yield _header("x-aichat-unknown", error.unknown)


def _header(name: str, regex: str) -> dict[str, Any]:
    return {"header_filter": {"header": {"name": name, "string_match": {"safe_regex": {"regex": regex}}}}}


def _status(api: str, error: EdgeError) -> int:
    """Returns the HTTP status by which an API tells an error."""
    return _OVERLOADED if api == "anthropic" and error.code == code_pb2.UNAVAILABLE else error.shown or error.http


def _openai(error: EdgeError, status: int) -> Body:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    code = _OPENAI_CODES.get(error.reason, error.reason.lower())
    return {"error": {"message": error.json_message, "type": kind, "param": None, "code": code}}


def _anthropic(error: EdgeError, status: int) -> Body:
    kind = _ANTHROPIC_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": error.json_message}, "request_id": REQUEST_ID}


_BODIES: Mapping[str, Callable[[EdgeError, int], Body]] = MappingProxyType({"openai": _openai, "anthropic": _anthropic})
