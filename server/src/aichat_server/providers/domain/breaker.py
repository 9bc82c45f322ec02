"""A circuit breaker: what keeps failing is left alone for a while, and then tried by one call before all come back."""

from __future__ import annotations

from collections import deque


class Ticket:
    """A call that was let through. Its outcome counts for as long as the breaker has not changed its mind since."""

    __slots__ = ()


class Breaker:
    """Closed: calls go through. Open: none do. Then half open: one does, and its outcome closes or opens it again.

    A trial whose outcome takes long does not keep the others waiting: another one goes after the same `seconds`.

    It has no clock: every `now` is the caller's, in seconds of any clock that never goes back.
    """

    def __init__(self, failures: int, seconds: float) -> None:
        """Opens after so many `failures` in a row within `seconds`, and stays open for `seconds`."""
        self.failures = failures
        self._seconds = seconds
        self._failed_at: deque[float] = deque(maxlen=failures)
        self._open_until: float | None = None
        """None: closed."""
        self._next_trial_at = 0.0
        self._shared = Ticket()
        """That of all calls of a closed circuit; a trial has its own."""
        self._counting = {self._shared}
        """Those whose outcome counts."""

    @property
    def is_closed(self) -> bool:
        """Whether all calls go through."""
        return self._open_until is None

    def admit(self, now: float) -> Ticket | None:
        """Lets a call through, which ends by one of `succeeded`, `failed` and `abandoned`; None if it must not go."""
        if self._open_until is None:
            return self._shared
        if now < max(self._open_until, self._next_trial_at):
            return None
        trial = Ticket()
        self._counting.add(trial)
        self._next_trial_at = now + self._seconds
        return trial

    def wait(self, now: float) -> float:
        """Seconds until a trial may go; 0 if none is to be waited for, or if it is on its way."""
        return 0.0 if self._open_until is None else max(self._open_until - now, 0.0)

    def answering(self, ticket: Ticket) -> None:
        """The call is being answered: enough to end a trial, not enough to forgive a closed circuit its failures."""
        if self._open_until is not None:
            self.succeeded(ticket)

    def succeeded(self, ticket: Ticket) -> None:
        """The call was answered."""
        if ticket in self._counting:
            if self._open_until is not None:
                self._open_until, self._shared = None, ticket
            self._failed_at.clear()

    def failed(self, ticket: Ticket, now: float) -> bool:
        """The call failed; True if that opened the circuit."""
        if ticket not in self._counting:
            return False
        trial = self._open_until is not None
        self._failed_at.append(now)
        full = len(self._failed_at) == self._failed_at.maxlen
        if not trial and not (full and now - self._failed_at[0] <= self._seconds):
            return False
        self._open_until = self._next_trial_at = now + self._seconds
        self._counting.clear()
        self._failed_at.clear()
        return True

    def abandoned(self, ticket: Ticket) -> None:
        """The call ended without telling how the other side does; after the last trial, the next call is one."""
        if self._open_until is not None and ticket in self._counting:
            self._counting.discard(ticket)
            if not self._counting:
                self._next_trial_at = 0.0
