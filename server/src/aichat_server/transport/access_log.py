"""One log line per call, and the fields that every other line of the call has."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from grpc import StatusCode
from structlog.contextvars import bind_contextvars

from aichat_server.transport.call import Call

_log = structlog.get_logger("aichat.access")


@contextmanager
def logged(call: Call) -> Iterator[None]:
    """Logs the result of the call when it is over. Requests and credentials are never logged."""
    # gRPC serves each call in its own task, so values bound here end with the call.
    bind_contextvars(request_id=call.request_id)
    if call.sent_request_id is not None:
        bind_contextvars(sent_request_id=call.sent_request_id)
    started = time.perf_counter()
    try:
        yield
    except asyncio.CancelledError:
        call.code = StatusCode.CANCELLED
        raise
    finally:
        milliseconds = round((time.perf_counter() - started) * 1000, 1)
        _log.info(
            "call",
            method=call.method,
            code=call.code.name,
            reason=call.reason,
            ms=milliseconds,
            org_id=str(call.org_id) if call.org_id else None,
        )
