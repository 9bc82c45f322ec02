"""When a vendor that failed before its first word is asked again, and when another one may answer in its place."""

from __future__ import annotations

from dataclasses import dataclass

from aichat_server.core.errors import AichatError, Reason

RETRIED = frozenset({Reason.PROVIDER_RATE_LIMITED, Reason.PROVIDER_OVERLOADED, Reason.PROVIDER_UNAVAILABLE})
"""Failures that a moment may mend. A vendor that was silent for long has had its moment."""

OUTAGES = frozenset({Reason.PROVIDER_OVERLOADED, Reason.PROVIDER_UNAVAILABLE})
"""Failures that no request brings on: the vendor cannot be reached, or says by itself that it cannot. A silence, a
stream that breaks off or an answer that makes no sense may be due to what was asked."""

REPLACED = (
    OUTAGES | RETRIED | {Reason.PROVIDER_TIMEOUT, Reason.PROVIDER_STREAM_BROKEN, Reason.PROVIDER_CREDENTIALS_REJECTED}
)
"""Failures that another model is asked after."""


class UnexplainedError(AichatError):
    """A vendor failed in words that nobody knows: a moment may mend it, but it may be due to what was asked."""


def is_outage(error: AichatError) -> bool:
    """Whether the vendor would have failed whatever it had been asked."""
    return error.reason in OUTAGES and not isinstance(error, UnexplainedError)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and when. Waits double, and are drawn at random so that many turns do not come back as one."""

    retries: int
    """The most attempts after the first."""
    first_seconds: float = 0.5
    """The longest that the first wait can be, apart from what the vendor asks for."""
    longest_seconds: float = 5.0
    """A vendor that asks for a longer wait than this is not asked again."""
    within_seconds: float = 10.0
    """No attempt begins later than so long after the first."""

    def wait(self, error: AichatError, attempts: int, elapsed: float, chance: float) -> float | None:
        """Seconds until the next attempt; None if there is none.

        So far there were `attempts`, the first of them `elapsed` seconds ago, and the last failed with `error`;
        `chance` is a random number from 0 to 1. What the vendor asks for is waited in full, and then the growing wait.
        """
        asked = error.retry_after or 0.0
        if error.reason not in RETRIED or attempts > self.retries or asked > self.longest_seconds:
            return None
        longest = min(self.first_seconds * 2 ** (attempts - 1), self.longest_seconds)
        wait = asked + longest * (1 + chance) / 2
        return wait if elapsed + wait <= self.within_seconds else None
