"""The edge's routes: one for each RPC and protocol, and one for each kind of unknown call."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from foreign_errors import from_grpc
from rpcs import Rpc, pattern

Route = dict[str, Any]

GRPC_FRAME_HEAD = 5
"""The bytes before a message in gRPC: a flag, and four bytes of length."""
PIECES_BYTES = 1024 * 1024
"""The bytes around all messages of a call that sends many."""
SMALL_BYTES = 65536
"""The edge reads a request's body up to this size from any caller."""
UNKNOWN_BYTES = 8 * SMALL_BYTES
"""The edge reads up to this much from a caller that turns out to be unknown.

While it asks the server about the caller, Envoy stops reading after the first SMALL_BYTES, with up to twice that on its
way, and continues only if half of the limit is more than that.
"""

FOREIGN_SILENCE_SECONDS = 660
"""The longest silence on a call of another company's API, whose clients wait 10 minutes for a whole answer."""

_API = "type.googleapis.com/envoy."
_BUFFER = "envoy.filters.http.buffer"
_REFUSAL = "aichat.refusal"
_CREDENTIALS_CHECK = "aichat.credentials_check"
_FRAME_CHECK = "aichat.frame_check"
_JSON_CHECK = "aichat.json_check"
_FOREIGN_API = "aichat.foreign_api"
_TRANSCODER = "envoy.filters.http.grpc_json_transcoder"
_CORS = "envoy.filters.http.cors"
_SENT = ("content-type", "x-api-key", "anthropic-version", "anthropic-beta", "idempotency-key", "x-aichat-conversation")
_SHOWN = ("x-request-id", "request-id", "retry-after", "retry-after-ms", "x-should-retry", "x-aichat-generation-id")
_JSON = r"(?i)application/json\s*(;.*)?"
_GRPC = r"application/grpc(-web(-text)?)?(\+proto)?\s*(;.*)?"
_HEALTH = "/grpc.health.v1.Health/Check"
_UNBEGUN = "connect-failure,refused-stream"
"""A call that no server can have begun is retried on another one."""


def routes(rpcs: Sequence[Rpc], descriptors: str, origins: Sequence[Route]) -> list[Route]:
    """Returns all routes; the first match applies.

    `descriptors` is the file with the contract, `origins` are those of the pages that may call.
    """
    found: list[Route] = []
    for rpc in rpcs:
        found += _grpc(rpc)
    found.append({"match": {"path": _HEALTH, "headers": [_content_type(_GRPC)]}, **_to_servers(_buffer(SMALL_BYTES))})
    for template in dict.fromkeys(template for rpc in rpcs for template in rpc.templates):
        there = [rpc for rpc in rpcs if template in rpc.templates]
        found += (
            _foreign_http(template, there, descriptors, origins) if there[0].foreign_api else _http(template, there)
        )
    unknown = {"prefix": "/", "headers": [_content_type("application/grpc.*")]}
    apis = dict.fromkeys(rpc.foreign_api for rpc in rpcs if rpc.foreign_api)
    # Pages learn that a path does not exist, whatever headers their client sends.
    found += [_with_foreign_cors(_answer({"prefix": f"/{api}/"}, 404), origins) for api in apis]
    return [*found, _answer(unknown, 501), _answer({"prefix": "/"}, 404)]


def limits(rpcs: Sequence[Rpc]) -> dict[str, int]:
    """Returns the body limit of each path that has another limit than SMALL_BYTES; a path is a regular expression."""
    large = [rpc for rpc in rpcs if rpc.max_request_bytes != SMALL_BYTES]
    return {path: rpc.max_request_bytes for rpc in large for path in _paths(rpc)}


def _paths(rpc: Rpc) -> Iterator[str]:
    yield re.escape(rpc.path)
    yield from (f"{http}(\\?.*)?" for http in rpc.patterns)


def _grpc(rpc: Rpc) -> Iterator[Route]:
    match = {"path": rpc.path, "headers": [_content_type(_GRPC)]}
    for matched, limit in _by_caller(match, rpc):
        around = PIECES_BYTES if rpc.takes_pieces else GRPC_FRAME_HEAD
        check = _lua({"pieces": "yes"} if rpc.takes_pieces else None)
        filters = {**_buffer(limit + around), _FRAME_CHECK: check, **_credentials(rpc)}
        yield {"match": matched, **_to_servers(filters, _retry_on(rpc))}


def _http(template: str, rpcs: Sequence[Rpc]) -> Iterator[Route]:
    """Yields the routes of one path's RPCs, and the answer to other methods there."""
    path = {"safe_regex": {"regex": pattern(template)}}
    allowed = []
    for rpc in rpcs:
        verbs = [rpc.verb, "HEAD"] if rpc.verb == "GET" and not rpc.streams else [rpc.verb]
        allowed += verbs
        method = _method(verbs)
        if rpc.fields is not None:
            # A web page may send a body of another type without a preflight request.
            yield _answer({**path, "headers": [method, {**_content_type(_JSON), "invert_match": True}]}, 415)
            yield _answer({**path, "headers": [method, _ENCODED]}, 415)
        for matched, limit in _by_caller({**path, "headers": [method]}, rpc):
            yield _transcoded(matched, rpc, limit)
    yield _other_methods(path, allowed)


def _foreign_http(template: str, rpcs: Sequence[Rpc], descriptors: str, origins: Sequence[Route]) -> Iterator[Route]:
    """Yields the same for a path of another company's API."""
    path = {"safe_regex": {"regex": pattern(template)}}
    allowed = []
    for rpc in rpcs:
        verbs = [rpc.verb, "HEAD"] if rpc.verb == "GET" else [rpc.verb]
        allowed += verbs
        yield _with_foreign_cors(_answer({**path, "headers": [_method(verbs), _PACKED]}, 415), origins)
        for matched, limit in _by_caller({**path, "headers": [_method(verbs)]}, rpc):
            yield _foreign(matched, rpc, limit, descriptors, origins)
    yield _with_foreign_cors(_other_methods(path, allowed), origins)


def _other_methods(path: Route, allowed: Sequence[str]) -> Route:
    return {**_answer(path, 405), "response_headers_to_add": [_header("allow", ", ".join(allowed))]}


def _method(verbs: Sequence[str]) -> Route:
    return {"name": ":method", "string_match": {"safe_regex": {"regex": "|".join(verbs)}}}


def _transcoded(match: Route, rpc: Rpc, limit: int) -> Route:
    filters = {**_buffer(limit), **_credentials(rpc)}
    if rpc.fields is not None:
        filters[_JSON_CHECK] = _lua({"fields": rpc.fields})
    route: Route = {"match": match, **_to_servers(filters, _retry_on(rpc))}
    if rpc.sends_events:
        route["request_headers_to_add"] = [_header("x-aichat-server-sent-events", "yes")]
        # Otherwise proxies such as nginx would buffer events.
        route["response_headers_to_add"] = [_header("x-accel-buffering", "no")]
    return route


def _foreign(match: Route, rpc: Rpc, limit: int, descriptors: str, origins: Sequence[Route]) -> Route:
    """Returns the route of a call that has the form of another company's API."""
    filters = {**_buffer(limit), **_credentials(rpc), _CORS: _foreign_cors(origins)}
    filters[_FOREIGN_API] = _lua({"from_grpc": from_grpc(rpc.foreign_api)})
    filters[_TRANSCODER] = {
        "@type": f"{_API}extensions.filters.http.grpc_json_transcoder.v3.GrpcJsonTranscoder",
        "proto_descriptor": descriptors,
        "services": [rpc.service],
        "match_incoming_request_route": True,
        # Its clients send parameters that only they know, and ids with slashes.
        "ignore_unknown_query_parameters": True,
        "url_unescape_spec": "ALL_CHARACTERS",
        # The buffer has counted the body; this counts what stands around it, too.
        "max_request_body_size": limit + SMALL_BYTES,
        "request_validation_options": {"reject_unknown_method": True},
    }
    route: Route = {
        "match": match,
        **_to_servers(filters, _retry_on(rpc)),
        # Their requests may come from any page without a preflight request, so they never act for a signed-in user.
        "request_headers_to_remove": ["cookie"],
        "response_headers_to_add": [_header("x-accel-buffering", "no")],
    }
    route["route"]["idle_timeout"] = f"{FOREIGN_SILENCE_SECONDS}s"
    return route


def _with_foreign_cors(route: Route, origins: Sequence[Route]) -> Route:
    return {**route, "typed_per_filter_config": {**route["typed_per_filter_config"], _CORS: _foreign_cors(origins)}}


def _foreign_cors(origins: Sequence[Route]) -> Route:
    """Returns what pages may send and read: clients have headers of their own, and more of them with each version."""
    return {
        "@type": f"{_API}extensions.filters.http.cors.v3.CorsPolicy",
        "allow_origin_string_match": origins,
        "allow_methods": "GET, HEAD, POST, DELETE",
        # The wildcard includes no credentials, and browsers only know it for calls without cookies.
        "allow_headers": f"authorization, {', '.join(_SENT)}, *",
        "expose_headers": f"{', '.join(_SHOWN)}, *",
        "max_age": "7200",
        "allow_credentials": False,
        "forward_not_matching_preflights": False,
    }


def _by_caller(match: Route, rpc: Rpc) -> Iterator[tuple[Route, int]]:
    """Yields the route with the RPC's limit for known callers, and one that reads no large body for unknown ones."""
    if _asks_for_credentials(rpc):
        unknown = [{"name": "x-aichat-unknown", "present_match": True}]
        yield {**match, "headers": [*match["headers"], *unknown]}, UNKNOWN_BYTES
    yield match, rpc.max_request_bytes


def _credentials(rpc: Rpc) -> Route:
    return {_CREDENTIALS_CHECK: _lua({"path": rpc.path})} if _asks_for_credentials(rpc) else {}


def _asks_for_credentials(rpc: Rpc) -> bool:
    return rpc.max_request_bytes > SMALL_BYTES and not rpc.public


def _retry_on(rpc: Rpc) -> str:
    """Returns when to retry: a read is also retried if its server disappears before it answers."""
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
    """Returns a route for the edge's own answer to a status; it does not read the request's body."""
    return {"match": match, **_to_servers({_REFUSAL: _lua({"status": str(status)})})}


def _buffer(most: int) -> Route:
    buffer = {"@type": f"{_API}extensions.filters.http.buffer.v3.BufferPerRoute", "buffer": {"max_request_bytes": most}}
    return {_BUFFER: buffer}


def _lua(context: Route | None = None) -> Route:
    """Returns the configuration that turns on a filter; it is off by default."""
    return {"@type": f"{_API}extensions.filters.http.lua.v3.LuaPerRoute", "filter_context": context or {}}


def _content_type(regex: str) -> Route:
    match = {"safe_regex": {"regex": regex}}
    return {"name": "content-type", "string_match": match, "treat_missing_header_as_empty": True}


def _header(name: str, value: str) -> Route:
    return {"header": {"key": name, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}


def _encoding_other_than(regex: str) -> Route:
    match = {"safe_regex": {"regex": f"(?i)({regex})?"}}
    other = {"string_match": match, "treat_missing_header_as_empty": True, "invert_match": True}
    return {"name": "content-encoding", **other}


_ENCODED = _encoding_other_than("identity")
_PACKED = _encoding_other_than("identity|gzip|x-gzip|zstd")
"""What no server unpacks."""
