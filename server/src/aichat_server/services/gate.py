"""The way to one vendor: so many calls at once, and none while it is known to fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from aichat_server.domain.breaker import Breaker, Ticket
from aichat_server.domain.errors import AichatError, Reason
from aichat_server.domain.retry import OUTAGES

_log = structlog.get_logger()

# A call's end, or a trial's, may be this near; nobody knows.
_SOON_SECONDS = 1.0


class GateClosedError(AichatError):
    """The vendor was not asked."""


class Gate:
    """One vendor's, of this process."""

    def __init__(self, provider: str, breaker: Breaker, *, connections: int, clock: Callable[[], float]) -> None:
        """At most `connections` calls at once, a connection each; more are refused, not queued."""
        self._provider = provider
        self._breaker = breaker
        self._connections = connections
        self._clock = clock
        self._calls = 0

    @contextmanager
    def call(self) -> Iterator[Callable[[], None]]:
        """One call of the vendor, and what is to be called when its answer begins.

        GateClosedError if it must not be made: PROVIDER_OVERLOADED when too many run, PROVIDER_UNAVAILABLE while the
        vendor is left alone. How the block ends tells how the vendor does.
        """
        ticket = self._enter()
        try:
            yield partial(self._breaker.answering, ticket)
            self._breaker.succeeded(ticket)
        except AichatError as error:
            if error.reason in OUTAGES and self._breaker.failed(ticket, self._clock()):
                seconds = self._breaker.wait(self._clock())
                _log.error("vendor left alone", provider=self._provider, reason=error.reason, seconds=seconds)
            raise
        finally:
            self._breaker.abandoned(ticket)
            self._calls -= 1

    def _enter(self) -> Ticket:
        if self._calls >= self._connections:
            message = "this server has as many calls to {} open as it may; try again shortly"
            limit = {"name": "open_calls", "limit": str(self._connections)}
            raise self._closed(Reason.PROVIDER_OVERLOADED, message, limit, _SOON_SECONDS)
        now = self._clock()
        ticket = self._breaker.admit(now)
        if ticket is None:
            message = "{} has failed again and again and is left alone for a while; try again later"
            limit = {"name": "failures_in_a_row", "limit": str(self._breaker.failures)}
            wait = max(self._breaker.wait(now), _SOON_SECONDS)
            raise self._closed(Reason.PROVIDER_UNAVAILABLE, message, limit, wait)
        self._calls += 1
        return ticket

    def _closed(self, reason: Reason, message: str, limit: dict[str, str], retry_after: float) -> GateClosedError:
        reset_time = (datetime.now(UTC) + timedelta(seconds=retry_after)).isoformat(timespec="milliseconds")
        metadata = {"provider": self._provider, **limit, "remaining": "0", "reset_time": reset_time}
        return GateClosedError(reason, message.format(self._provider), metadata=metadata, retry_after=retry_after)
