"""When to retry a vendor that failed before its first word, and when a fallback may answer instead."""

from __future__ import annotations

from dataclasses import dataclass

from aichat_server.core.errors import AichatError, Reason

RETRIED = frozenset({Reason.PROVIDER_RATE_LIMITED, Reason.PROVIDER_OVERLOADED, Reason.PROVIDER_UNAVAILABLE})
"""Temporary failures. A vendor that was silent for long has had its time."""

OUTAGES = frozenset({Reason.PROVIDER_OVERLOADED, Reason.PROVIDER_UNAVAILABLE})
"""Failures that no request causes: the vendor is unreachable, or reports an outage.

A silence, a broken stream or an unreadable answer may be due to the request.
"""

REPLACED = (
    OUTAGES | RETRIED | {Reason.PROVIDER_TIMEOUT, Reason.PROVIDER_STREAM_BROKEN, Reason.PROVIDER_CREDENTIALS_REJECTED}
)
"""Failures after which a fallback is called."""


class UnexplainedError(AichatError):
    """A vendor failed with an unknown error: it may be temporary, or due to the request."""


def is_outage(error: AichatError) -> bool:
    """Whether the vendor would have failed for any request."""
    return error.reason in OUTAGES and not isinstance(error, UnexplainedError)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when to retry. Delays double and are random, so that many turns do not retry at once."""

    retries: int
    """The most attempts after the first."""
    first_seconds: float = 0.5
    """The longest first delay, apart from what the vendor asks for."""
    longest_seconds: float = 5.0
    """A vendor that asks for a longer delay than this is not retried."""
    within_seconds: float = 10.0
    """No attempt begins later than this after the first."""

    def wait(self, error: AichatError, attempts: int, elapsed: float, chance: float) -> float | None:
        """Returns the seconds until the next attempt; None if there is none.

        So far there were `attempts`, the first of them `elapsed` seconds ago, and the last failed with `error`;
        `chance` is a random number from 0 to 1. The delay that the vendor asks for comes first, then the growing delay.
        """
        asked = error.retry_after or 0.0
        if error.reason not in RETRIED or attempts > self.retries or asked > self.longest_seconds:
            return None
        longest = min(self.first_seconds * 2 ** (attempts - 1), self.longest_seconds)
        wait = asked + longest * (1 + chance) / 2
        return wait if elapsed + wait <= self.within_seconds else None
