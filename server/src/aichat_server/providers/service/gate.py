"""The gate to one model: a limited number of calls to its vendor at once, and none while the model is known to fail."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial

import structlog

from aichat_server.core.errors import AichatError, Reason
from aichat_server.providers.domain.breaker import Breaker, Ticket
from aichat_server.providers.domain.retry import is_outage

_log = structlog.get_logger()

# A call, or a trial, may end this soon; nobody knows.
_SOON_SECONDS = 1.0


class GateClosedError(AichatError):
    """The vendor was not called."""


@dataclass(slots=True)
class Line:
    """The connections to one vendor, shared by all its models: each call has one, and further calls are refused."""

    provider: str
    connections: int
    calls: int = field(default=0, init=False)
    """The number of open calls."""


class Gate:
    """The gate to one model, in this process."""

    def __init__(self, model: str, line: Line, breaker: Breaker, clock: Callable[[], float]) -> None:
        self._model = model
        self._line = line
        self._breaker = breaker
        self._clock = clock

    @contextmanager
    def call(self) -> Iterator[Callable[[], None]]:
        """Admits one call of the model; yields a function to call when its answer begins.

        Raises GateClosedError: PROVIDER_OVERLOADED if too many calls are open, PROVIDER_UNAVAILABLE while the breaker
        is open. The end of the block is the call's outcome.
        """
        ticket = self._enter()
        try:
            yield partial(self._breaker.answering, ticket)
            self._breaker.succeeded(ticket)
        except AichatError as error:
            if is_outage(error) and self._breaker.failed(ticket, self._clock()):
                seconds = self._breaker.wait(self._clock())
                told = {"provider": self._line.provider, "model": self._model, "reason": error.reason}
                _log.error("circuit breaker opened", **told, seconds=seconds)
            raise
        finally:
            self._breaker.abandoned(ticket)
            self._line.calls -= 1

    @property
    def is_clear(self) -> bool:
        """Whether a call could be made now, and would not be a trial."""
        return self._line.calls < self._line.connections and self._breaker.is_closed

    def _enter(self) -> Ticket:
        if self._line.calls >= self._line.connections:
            message = "this server has reached its limit of open calls to {}; retry shortly"
            limit = {"name": "open_calls", "limit": str(self._line.connections)}
            raise self._closed(Reason.PROVIDER_OVERLOADED, message.format(self._line.provider), limit, _SOON_SECONDS)
        now = self._clock()
        ticket = self._breaker.admit(now)
        if ticket is None:
            message = "{} has failed repeatedly and is not called for a while; ask another model, or retry later"
            limit = {"model": self._model, "name": "failures_in_a_row", "limit": str(self._breaker.failures)}
            wait = max(self._breaker.wait(now), _SOON_SECONDS)
            raise self._closed(Reason.PROVIDER_UNAVAILABLE, message.format(self._model), limit, wait)
        self._line.calls += 1
        return ticket

    def _closed(self, reason: Reason, message: str, limit: dict[str, str], retry_after: float) -> GateClosedError:
        reset_time = (datetime.now(UTC) + timedelta(seconds=retry_after)).isoformat(timespec="milliseconds")
        metadata = {"provider": self._line.provider, **limit, "remaining": "0", "reset_time": reset_time}
        return GateClosedError(reason, message, metadata=metadata, retry_after=retry_after)
