"""Where the edge sends calls: one route for each RPC and protocol, and what everything else is answered."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from rpcs import Rpc

Route = dict[str, Any]

GRPC_FRAME_HEAD = 5
"""What gRPC puts before a message: a flag, and four bytes of length."""
SMALL_BYTES = 65536
"""Up to here a request's body is read from anybody."""
UNKNOWN_BYTES = 8 * SMALL_BYTES
"""Up to here it is read of those who are found to be unknown. While that is found out Envoy stops reading behind the
first SMALL_BYTES, with up to twice as much on its way, and reads on only where half of the limit is more than that."""

_API = "type.googleapis.com/envoy."
_BUFFER = "envoy.filters.http.buffer"
_REFUSAL = "aichat.refusal"
_CREDENTIALS_CHECK = "aichat.credentials_check"
_FRAME_CHECK = "aichat.frame_check"
_JSON_CHECK = "aichat.json_check"
_JSON = r"(?i)application/json\s*(;.*)?"
_GRPC = r"application/grpc(-web(-text)?)?(\+proto)?\s*(;.*)?"
_HEALTH = "/grpc.health.v1.Health/Check"
_UNBEGUN = "connect-failure,refused-stream"
"""What no server can have begun goes to another one."""


def routes(rpcs: Sequence[Rpc]) -> list[Route]:
    """All routes; the first that matches is taken."""
    found: list[Route] = []
    for rpc in rpcs:
        found += _grpc(rpc)
    found.append({"match": {"path": _HEALTH, "headers": [_content_type(_GRPC)]}, **_to_servers(_buffer(SMALL_BYTES))})
    for template in dict.fromkeys(rpc.template for rpc in rpcs):
        found += _http([rpc for rpc in rpcs if rpc.template == template])
    unknown = {"prefix": "/", "headers": [_content_type("application/grpc.*")]}
    return [*found, _answer(unknown, 501), _answer({"prefix": "/"}, 404)]


def limits(rpcs: Sequence[Rpc]) -> dict[str, int]:
    """Where bodies of another size than SMALL_BYTES are read: the limit of each path, which is a regular expression."""
    large = [rpc for rpc in rpcs if rpc.max_request_bytes != SMALL_BYTES]
    return {path: rpc.max_request_bytes for rpc in large for path in (re.escape(rpc.path), f"{rpc.pattern}(\\?.*)?")}


def _grpc(rpc: Rpc) -> Iterator[Route]:
    match = {"path": rpc.path, "headers": [_content_type(_GRPC)]}
    for matched, limit in _by_caller(match, rpc):
        filters = {**_buffer(limit + GRPC_FRAME_HEAD), _FRAME_CHECK: _lua(), **_credentials(rpc)}
        yield {"match": matched, **_to_servers(filters, _retry_on(rpc))}


def _http(rpcs: Sequence[Rpc]) -> Iterator[Route]:
    """The RPCs of one path, and what other methods are told there."""
    path = {"safe_regex": {"regex": rpcs[0].pattern}}
    allowed = []
    for rpc in rpcs:
        verbs = [rpc.verb, "HEAD"] if rpc.verb == "GET" and not rpc.streams else [rpc.verb]
        allowed += verbs
        method = {"name": ":method", "string_match": {"safe_regex": {"regex": "|".join(verbs)}}}
        if rpc.fields is not None:
            # A body of another type is one that a web page may send without asking first.
            yield _answer({**path, "headers": [method, {**_content_type(_JSON), "invert_match": True}]}, 415)
            yield _answer({**path, "headers": [method, _ENCODED]}, 415)
        for matched, limit in _by_caller({**path, "headers": [method]}, rpc):
            yield _transcoded(matched, rpc, limit)
    yield {**_answer(path, 405), "response_headers_to_add": [_header("allow", ", ".join(allowed))]}


def _transcoded(match: Route, rpc: Rpc, limit: int) -> Route:
    filters = {**_buffer(limit), **_credentials(rpc)}
    if rpc.fields is not None:
        filters[_JSON_CHECK] = _lua({"fields": rpc.fields})
    route: Route = {"match": match, **_to_servers(filters, _retry_on(rpc))}
    if rpc.sends_events:
        route["request_headers_to_add"] = [_header("x-aichat-server-sent-events", "yes")]
        # Proxies such as nginx would hold events back until they have many.
        route["response_headers_to_add"] = [_header("x-accel-buffering", "no")]
    return route


def _by_caller(match: Route, rpc: Rpc) -> Iterator[tuple[Route, int]]:
    """The RPC's limit for those whom the server knows; from the others no large body is read."""
    if _asks_for_credentials(rpc):
        unknown = [{"name": "x-aichat-unknown", "present_match": True}]
        yield {**match, "headers": [*match["headers"], *unknown]}, UNKNOWN_BYTES
    yield match, rpc.max_request_bytes


def _credentials(rpc: Rpc) -> Route:
    return {_CREDENTIALS_CHECK: _lua({"path": rpc.path})} if _asks_for_credentials(rpc) else {}


def _asks_for_credentials(rpc: Rpc) -> bool:
    return rpc.max_request_bytes > SMALL_BYTES and not rpc.public


def _retry_on(rpc: Rpc) -> str:
    """A read goes to another server also when the one that had it is lost before it answered."""
    return f"{_UNBEGUN},reset" if rpc.verb == "GET" else _UNBEGUN


def _to_servers(filters: Route, retry_on: str = _UNBEGUN) -> Route:
    return {
        "route": {
            "cluster": "servers",
            "timeout": "0s",
            "retry_policy": {
                "retry_on": retry_on,
                "num_retries": 2,
                "retry_host_predicate": [
                    {
                        "name": "envoy.retry_host_predicates.previous_hosts",
                        "typed_config": {
                            "@type": f"{_API}extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
                        },
                    }
                ],
                "host_selection_retry_max_attempts": 3,
            },
        },
        "typed_per_filter_config": filters,
    }


def _answer(match: Route, status: int) -> Route:
    """An answer of the edge's own, whose body is that of the status; the request's is not read."""
    return {"match": match, **_to_servers({_REFUSAL: _lua({"status": str(status)})})}


def _buffer(most: int) -> Route:
    buffer = {"@type": f"{_API}extensions.filters.http.buffer.v3.BufferPerRoute", "buffer": {"max_request_bytes": most}}
    return {_BUFFER: buffer}


def _lua(context: Route | None = None) -> Route:
    """Turns on a filter that is off unless a route says so."""
    return {"@type": f"{_API}extensions.filters.http.lua.v3.LuaPerRoute", "filter_context": context or {}}


def _content_type(regex: str) -> Route:
    match = {"safe_regex": {"regex": regex}}
    return {"name": "content-type", "string_match": match, "treat_missing_header_as_empty": True}


def _header(name: str, value: str) -> Route:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


_ENCODED = {
    "name": "content-encoding",
    "string_match": {"safe_regex": {"regex": "(?i)identity|"}},
    "treat_missing_header_as_empty": True,
    "invert_match": True,
}
