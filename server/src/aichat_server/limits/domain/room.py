"""What a caller has left of its limits, as far as one process knows."""

from __future__ import annotations

from dataclasses import dataclass

from aichat_server.limits.domain.limits import WINDOW_SECONDS, Claim, Exceeded, Granted

# The rest is for what the caller does on other processes in the meantime.
_OURS = 0.5


@dataclass(slots=True)
class _Left:
    thousandths: float
    until: float


class Room:
    """Predicts which claims will surely be granted.

    Each answer says how much was left then, and half of that may be used without asking. Every `now` is in seconds of a
    clock that never goes back.
    """

    def __init__(self) -> None:
        self._left: dict[str, _Left] = {}
        """By the key of the caller's first limit."""

    def covers(self, claim: Claim, now: float) -> bool:
        """Whether there is room for the claim; if so, uses it."""
        left = self._left.get(claim.requests[0].key)
        if left is None or left.until <= now or left.thousandths < claim.share:
            return False
        left.thousandths -= claim.share
        return True

    def note(self, claim: Claim, answer: Granted | Exceeded, now: float) -> None:
        """Records the answer to a claim. One that joined a stream did not count for all of its limits."""
        thousandths = answer.room * _OURS if isinstance(answer, Granted) and not answer.joined else 0.0
        self._left[claim.requests[0].key] = _Left(thousandths, now + WINDOW_SECONDS)

    def forget(self, now: float) -> None:
        """Deletes what has expired."""
        for key in [key for key, left in self._left.items() if left.until <= now]:
            del self._left[key]
