"""Decides whether to retry a call, and how long to wait first."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from aichat_sdk import _checking
from aichat_sdk._observing import log_retry
from aichat_sdk.errors import AIChatError, UnavailableError

FIRST_DELAY = 0.5
LONGEST_DELAY = 8.0
LONGEST_RETRY_AFTER = 60.0
# gRPC treats a timeout of centuries as one that has already passed.
LONGEST_TIMEOUT = 365 * 86_400.0

ResultT = TypeVar("ResultT")


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment by which a call with all its retries must end; None: there is none."""

    moment: float | None

    @classmethod
    def after(cls, seconds: float | None) -> Deadline:
        """Returns the deadline in `seconds` from now; raises ArgumentError if that is not a time."""
        checked = _checking.seconds(seconds, "timeout")
        return cls(None if checked is None else time.monotonic() + min(checked, LONGEST_TIMEOUT))

    def remaining(self) -> float | None:
        """Returns the seconds until the deadline, never negative; None without one."""
        return None if self.moment is None else max(0.0, self.moment - time.monotonic())


async def retrying(attempt: Callable[[], Awaitable[ResultT]], *, retries: int, deadline: Deadline) -> ResultT:
    """Calls `attempt` until it succeeds, at most `1 + retries` times. A failed attempt must be safe to repeat."""
    tried = 0
    while True:
        try:
            return await attempt()
        except UnavailableError as error:
            delay = delay_before_retry(error, tried)
            remaining = deadline.remaining()
            if tried >= retries or delay is None or (remaining is not None and delay >= remaining):
                raise
            log_retry(error, delay)
        tried += 1
        await asyncio.sleep(delay)


def delay_before_retry(error: AIChatError, tried: int) -> float | None:
    """Returns the seconds to wait after failed try number `tried`, counted from 0; None if the wait would be too long.

    The wait grows exponentially and is never less than the server asks for. It is random within limits, so that clients
    that failed together do not retry together.
    """
    if error.retry_after is not None and error.retry_after > LONGEST_RETRY_AFTER:
        return None
    backoff = min(LONGEST_DELAY, FIRST_DELAY * 2.0**tried)
    jitter = random.uniform(0.5, 1.0)  # noqa: S311
    return (error.retry_after or 0.0) + backoff * jitter
