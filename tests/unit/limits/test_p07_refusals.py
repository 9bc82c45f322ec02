"""Promise 7: every refusal names the limit, what is left of it, and when to call again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.identity.domain.principals import Principal
from aichat_server.limits.service import RateLimits
from aichat_server.providers.domain.breaker import Breaker
from aichat_server.providers.service.gate import Gate, Line
from aichat_server.quotas.domain import QuotaPeriod, QuotaRefusal, QuotaScope, over_quota

from tests.fixtures.rates import FREE_RATES, rates_of

FREE = FREE_RATES.caller
CALLER = Principal(UUID(int=1), UUID(int=2), UUID(int=3))


async def too_many_requests() -> None:
    limits = RateLimits(None, rates_of)
    for _ in range(FREE.requests_per_minute + 1):
        await limits.admit_call(CALLER)


async def too_many_tokens() -> None:
    limits = RateLimits(None, rates_of)
    for stream in ("one", "other"):
        await limits.admit_turn(CALLER, stream, FREE.tokens_per_minute)


async def too_many_streams() -> None:
    limits = RateLimits(None, rates_of)
    for number in range(FREE.open_streams + 1):
        await limits.admit_turn(CALLER, str(number), 1)


async def over_a_quota() -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    amounts = (NanoUsd(5), NanoUsd(5), NanoUsd(1))
    raise over_quota(QuotaRefusal(QuotaScope.KEY, UUID(int=3), QuotaPeriod.DAY, *amounts, soon))


async def too_many_calls_to_a_vendor() -> None:
    gate = Gate("a-model", Line("a-vendor", 1), Breaker(2, 60), clock=lambda: 0.0)
    with gate.call(), gate.call():
        pass


async def a_vendor_that_is_left_alone() -> None:
    gate = Gate("a-model", Line("a-vendor", 9), Breaker(1, 60), clock=lambda: 0.0)
    for _ in range(2):
        try:
            with gate.call():
                raise AichatError(Reason.PROVIDER_OVERLOADED, "it failed")
        except AichatError as error:
            if error.reason is not Reason.PROVIDER_OVERLOADED:
                raise


@pytest.mark.parametrize(
    ("call", "reason", "limit"),
    [
        (too_many_requests, Reason.RATE_LIMITED, str(FREE.requests_per_minute)),
        (too_many_tokens, Reason.RATE_LIMITED, str(FREE.tokens_per_minute)),
        (too_many_streams, Reason.RATE_LIMITED, str(FREE.open_streams)),
        (over_a_quota, Reason.QUOTA_EXCEEDED, "0.000000005"),
        (too_many_calls_to_a_vendor, Reason.PROVIDER_OVERLOADED, "1"),
        (a_vendor_that_is_left_alone, Reason.PROVIDER_UNAVAILABLE, "1"),
    ],
)
async def test_it_says_what_the_limit_is_what_is_left_and_until_when(
    call: Callable[[], Awaitable[None]], reason: Reason, limit: str
) -> None:
    with pytest.raises(AichatError) as caught:
        await call()
    told = caught.value.metadata
    assert (caught.value.reason, told["limit"], told["remaining"]) == (reason, limit, "0")
    reset_time = datetime.fromisoformat(told["reset_time"])
    assert reset_time.tzinfo is not None
    assert reset_time > datetime.now(UTC)
    assert reason is Reason.QUOTA_EXCEEDED or caught.value.retry_after
