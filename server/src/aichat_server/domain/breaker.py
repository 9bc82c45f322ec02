"""A circuit breaker: what keeps failing is left alone for a while, and then tried by one call before all come back."""

from __future__ import annotations

from collections import deque


class Ticket:
    """A call that was let through. Its outcome counts for as long as the breaker has not changed its mind since."""

    __slots__ = ()


class Breaker:
    """Closed: calls go through. Open: none do. Then half open: one does, and its outcome closes or opens it again.

    It has no clock: every `now` is the caller's, in seconds of any clock that never goes back.
    """

    def __init__(self, failures: int, seconds: float) -> None:
        """Opens after so many `failures` in a row within `seconds`, and stays open for `seconds`."""
        self.failures = failures
        self._seconds = seconds
        self._failed_at: deque[float] = deque(maxlen=failures)
        self._open_until: float | None = None
        """None: closed."""
        self._ticket: Ticket | None = Ticket()
        """The one whose outcome counts. All calls of a closed circuit share it; a trial has its own."""

    def admit(self, now: float) -> Ticket | None:
        """Lets a call through, which ends by one of `succeeded`, `failed` and `abandoned`; None if it must not go."""
        if self._open_until is None:
            return self._ticket
        if now < self._open_until or self._ticket is not None:
            return None
        self._ticket = Ticket()
        return self._ticket

    def wait(self, now: float) -> float:
        """Seconds until a trial may go; 0 if none is to be waited for, or if it is on its way."""
        return 0.0 if self._open_until is None else max(self._open_until - now, 0.0)

    def answering(self, ticket: Ticket) -> None:
        """The call is being answered: enough to end a trial, not enough to forgive a closed circuit its failures."""
        if self._open_until is not None:
            self.succeeded(ticket)

    def succeeded(self, ticket: Ticket) -> None:
        """The call was answered."""
        if ticket is self._ticket:
            self._open_until = None
            self._failed_at.clear()

    def failed(self, ticket: Ticket, now: float) -> bool:
        """The call failed; True if that opened the circuit."""
        if ticket is not self._ticket:
            return False
        trial = self._open_until is not None
        self._failed_at.append(now)
        full = len(self._failed_at) == self._failed_at.maxlen
        if not trial and not (full and now - self._failed_at[0] <= self._seconds):
            return False
        self._open_until, self._ticket = now + self._seconds, None
        self._failed_at.clear()
        return True

    def abandoned(self, ticket: Ticket) -> None:
        """The call ended without telling how the other side does; after a trial, the next call is one."""
        if self._open_until is not None and ticket is self._ticket:
            self._ticket = None
