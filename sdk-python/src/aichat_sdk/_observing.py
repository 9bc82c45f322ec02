"""Tells what calls do: in the log, and as spans of OpenTelemetry. Neither ever holds keys, messages or files."""

from __future__ import annotations

import logging
import os
import time
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Self

from aichat_sdk._wire import Headers
from aichat_sdk.errors import AIChatError, ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.trace import Span

_tracing = False
with suppress(ImportError):
    from opentelemetry import propagate, trace

    _tracing = True

logger = logging.getLogger("aichat_sdk")
LEVELS = ("debug", "info", "warning", "error")


def set_up_logging() -> None:
    """Follows AICHAT_LOG: sets the level of the logger `aichat_sdk`, and writes to standard error if nothing else does.

    Raises ConfigurationError if it is no level.
    """
    level = os.environ.get("AICHAT_LOG", "").lower()
    if not level:
        return
    if level not in LEVELS:
        raise ConfigurationError(f"AICHAT_LOG must be one of {', '.join(LEVELS)}, not {level!r}")
    logger.setLevel(level.upper())
    if not logger.hasHandlers():
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
        logger.addHandler(handler)


class Observed:
    """One call, from its begin to its end."""

    def __init__(self, path: str, endpoint: str) -> None:
        self._name = path.rpartition("/")[2]
        self._begun = time.monotonic()
        self._ended = False
        self._span = _begin_span(path, endpoint) if _tracing else None
        logger.debug("%s begins at %s", self._name, endpoint)

    def headers(self) -> Headers:
        """Returns the metadata that continues the trace at the platform."""
        if self._span is None:
            return ()
        carrier: dict[str, str] = {}
        propagate.inject(carrier, trace.set_span_in_context(self._span))
        return tuple(carrier.items())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end(error)

    def end(self, error: BaseException | None = None) -> None:
        """Ends it, unless it has ended; None: it succeeded, or its caller wants no more of it."""
        if self._ended:
            return
        self._ended = True
        status, reason, request = "OK", "", ""
        if error is not None:
            status, reason = "CANCELLED", type(error).__name__
        if isinstance(error, AIChatError):
            status, reason, request = error.status or "UNKNOWN", error.reason or reason, error.request_id or ""
        seconds = time.monotonic() - self._begun
        told = " ".join(filter(None, [status, reason, request and f"request {request}"]))
        logger.info("%s ended after %.3f s: %s", self._name, seconds, told)
        if self._span is not None:
            _end_span(self._span, status, reason, request)


def log_retry(error: AIChatError, delay: float) -> None:
    """Logs that a call or a stream is tried again."""
    logger.info("tries again in %.1f s after %s", delay, error.reason or error.status or type(error).__name__)


def _begin_span(path: str, endpoint: str) -> Span:
    service, _, method = path.strip("/").partition("/")
    host, _, port = endpoint.rpartition(":")
    attributes = {"rpc.system": "grpc", "rpc.service": service, "rpc.method": method, "server.address": host}
    return trace.get_tracer("aichat_sdk").start_span(
        path.strip("/"), kind=trace.SpanKind.CLIENT, attributes={**attributes, "server.port": int(port)}
    )


def _end_span(span: Span, status: str, reason: str, request: str) -> None:
    span.set_attribute("rpc.grpc.status", status)
    if request:
        span.set_attribute("aichat.request_id", request)
    if reason:
        span.set_attribute("error.type", reason)
        span.set_status(trace.StatusCode.ERROR, reason)
    span.end()
