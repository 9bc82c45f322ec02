"""The limits of one process use a clock that nobody can set."""

from __future__ import annotations

import time
from uuid import UUID

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.domain.principals import Principal
from aichat_server.limits.service import RateLimits

from tests.fixtures.rates import FREE_RATES, rates_of

CALLER = Principal(UUID(int=1), UUID(int=2), UUID(int=3))


@pytest.mark.parametrize("seconds", [-3600, 3600])
async def test_what_was_used_counts_for_a_minute_whatever_the_clock_says(
    monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    limits, right = RateLimits(None, rates_of), time.time
    for _ in range(FREE_RATES.caller.requests_per_minute):
        await limits.admit_call(CALLER)
    monkeypatch.setattr(time, "time", lambda: right() + seconds)
    with pytest.raises(AichatError) as caught:
        await limits.admit_call(CALLER)
    assert caught.value.reason is Reason.RATE_LIMITED
    assert 0 < (caught.value.retry_after or 0) <= 61
