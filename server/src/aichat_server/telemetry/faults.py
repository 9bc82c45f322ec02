"""Reports failures to Sentry: which exception, where in the code, and in whose call, without any content."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import sentry_sdk
from sentry_sdk.integrations.dedupe import DedupeIntegration
from sentry_sdk.utils import event_from_exception

from aichat_server.telemetry.scrubbing import Scrubber

_FLUSH_SECONDS = 2.0
# The fields of a log line that are reported.
_TAGS = ("request_id", "org_id", "generation_id", "method", "reason", "provider", "model", "job", "logger")


@contextmanager
def open_faults(dsn: str, environment: str, scrubber: Scrubber) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Yields what reports a log line from "error" up. Requests, local variables and messages of exceptions stay here:
    the log has the line under the same request_id. ValueError for a malformed `dsn`.
    """
    client = sentry_sdk.Client(
        dsn,
        environment=environment,
        # No hooks into this process's libraries: every failure is logged, and the log reports it.
        default_integrations=False,
        auto_enabling_integrations=False,
        integrations=[DedupeIntegration()],
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        before_send=lambda event, _: _scrubbed(event, scrubber),
    )

    def report(line: Mapping[str, Any]) -> None:
        event, hint = _event(line, client.options)
        client.capture_event(event, hint=hint, scope=sentry_sdk.Scope())

    try:
        yield report
    finally:
        client.close(timeout=_FLUSH_SECONDS)


def _event(line: Mapping[str, Any], options: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    error = line.get("exc_info")
    if error is True:
        error = sys.exc_info()
    event: Any = {}
    hint: dict[str, Any] = {}
    if isinstance(error, BaseException | tuple):
        event, hint = event_from_exception(error, client_options=options, mechanism={"type": "log", "handled": True})
    event["level"] = line.get("level", "error")
    event["logger"] = line.get("logger", "aichat")
    event["logentry"] = {"formatted": str(line.get("event", ""))}
    event["tags"] = {name: str(line[name]) for name in _TAGS if line.get(name) is not None}
    return event, hint


def _scrubbed(event: Any, scrubber: Scrubber) -> Any:
    for exception in event.get("exception", {}).get("values", ()):
        # An exception may quote what a user wrote.
        exception["value"] = ""
    for private in ("request", "user", "breadcrumbs", "extra", "server_name"):
        event.pop(private, None)
    return _clean(event, scrubber)


def _clean(value: Any, scrubber: Scrubber) -> Any:
    if isinstance(value, str):
        return scrubber.text(value)
    if isinstance(value, dict):
        return {name: _clean(item, scrubber) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(item, scrubber) for item in value]
    return value
