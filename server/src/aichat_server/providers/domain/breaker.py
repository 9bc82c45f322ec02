"""A circuit breaker: a model that keeps failing is not called for a while; then one call tries it before the others."""

from __future__ import annotations

from collections import deque


class Ticket:
    """An admitted call. Its outcome counts until the breaker changes its state."""

    __slots__ = ()


class Breaker:
    """Closed: all calls are admitted. Open: none is. Half open: one is, and its outcome closes or opens the breaker.

    A slow trial does not block the others: another one is admitted after the same `seconds`. The breaker has no clock:
    every `now` is the caller's, in seconds of any clock that never goes back.
    """

    def __init__(self, failures: int, seconds: float) -> None:
        """Opens after `failures` failures in a row within `seconds`, and stays open for `seconds`."""
        self.failures = failures
        self._seconds = seconds
        self._failed_at: deque[float] = deque(maxlen=failures)
        self._open_until: float | None = None
        """None: closed."""
        self._next_trial_at = 0.0
        self._shared = Ticket()
        """The ticket of all calls while closed; each trial has its own."""
        self._counting = {self._shared}
        """The tickets whose outcome counts."""

    @property
    def is_closed(self) -> bool:
        """Whether all calls go through."""
        return self._open_until is None

    def admit(self, now: float) -> Ticket | None:
        """Admits a call, which ends with `succeeded`, `failed` or `abandoned`; returns None if it is not admitted."""
        if self._open_until is None:
            return self._shared
        if now < max(self._open_until, self._next_trial_at):
            return None
        trial = Ticket()
        self._counting.add(trial)
        self._next_trial_at = now + self._seconds
        return trial

    def wait(self, now: float) -> float:
        """Returns the seconds until a trial is admitted; 0 if the breaker is closed or a trial is running."""
        return 0.0 if self._open_until is None else max(self._open_until - now, 0.0)

    def answering(self, ticket: Ticket) -> None:
        """Records that the answer begins: this ends a trial, but does not clear the failures of a closed breaker."""
        if self._open_until is not None:
            self.succeeded(ticket)

    def succeeded(self, ticket: Ticket) -> None:
        """Records that the call succeeded."""
        if ticket in self._counting:
            if self._open_until is not None:
                self._open_until, self._shared = None, ticket
            self._failed_at.clear()

    def failed(self, ticket: Ticket, now: float) -> bool:
        """Records that the call failed; returns True if that opened the breaker."""
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
        """Records that the call ended without a result about the vendor; the next call may replace a trial."""
        if self._open_until is not None and ticket in self._counting:
            self._counting.discard(ticket)
            if not self._counting:
                self._next_trial_at = 0.0
