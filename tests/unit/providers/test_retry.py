"""When a vendor is retried."""

from __future__ import annotations

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.providers.domain.retry import OUTAGES, REPLACED, RETRIED, RetryPolicy, UnexplainedError, is_outage
from hypothesis import given
from hypothesis import strategies as st

POLICY = RetryPolicy(retries=3, first_seconds=0.5, longest_seconds=5.0, within_seconds=10.0)


def failing(reason: Reason = Reason.PROVIDER_OVERLOADED, retry_after: float | None = None) -> AichatError:
    return AichatError(reason, "the vendor failed", retry_after=retry_after)


@given(
    asked=st.none() | st.floats(0, 20),
    attempts=st.integers(1, 10),
    elapsed=st.floats(0, 20),
    chance=st.floats(0, 1),
)
def test_every_wait_is_bounded_and_what_the_vendor_asks_for_is_kept(
    asked: float | None, attempts: int, elapsed: float, chance: float
) -> None:
    wait = POLICY.wait(failing(retry_after=asked), attempts, elapsed, chance)
    if wait is None:
        return
    assert attempts <= POLICY.retries
    assert (asked or 0) <= POLICY.longest_seconds
    assert wait > (asked or 0)
    assert elapsed + wait <= POLICY.within_seconds


def test_waits_double_and_vary() -> None:
    longest = [POLICY.wait(failing(), attempts, 0, 1.0) for attempts in (1, 2, 3, 4)]
    shortest = [POLICY.wait(failing(), attempts, 0, 0.0) for attempts in (1, 2, 3, 4)]
    assert longest == [0.5, 1.0, 2.0, None]
    assert shortest == [0.25, 0.5, 1.0, None]


@pytest.mark.parametrize(("asked", "wait"), [(0.0, 0.5), (2.0, 2.5), (5.0, 5.5), (5.01, None)])
def test_a_vendor_that_asks_for_too_long_a_wait_is_not_retried(asked: float, wait: float | None) -> None:
    assert POLICY.wait(failing(retry_after=asked), 1, 0, 1.0) == wait


def test_no_attempt_begins_too_late() -> None:
    assert POLICY.wait(failing(), 1, 9.5, 1.0) == 0.5
    assert POLICY.wait(failing(), 1, 9.6, 1.0) is None


@pytest.mark.parametrize("reason", Reason)
def test_only_temporary_failures_are_retried(reason: Reason) -> None:
    assert (POLICY.wait(failing(reason), 1, 0, 0.5) is not None) is (reason in RETRIED)


def test_the_callers_mistakes_do_not_count_as_outages() -> None:
    own = {
        Reason.PROVIDER_REQUEST_REJECTED,
        Reason.PROVIDER_MODEL_MISSING,
        Reason.ANSWER_REFUSED,
        Reason.OPTION_UNSUPPORTED,
    }
    assert not own & (OUTAGES | RETRIED | REPLACED)
    assert Reason.PROVIDER_RATE_LIMITED not in OUTAGES


def test_what_a_request_may_cause_itself_is_not_an_outage() -> None:
    brought_on = {Reason.PROVIDER_TIMEOUT, Reason.PROVIDER_STREAM_BROKEN}
    assert not brought_on & OUTAGES
    assert brought_on <= REPLACED
    assert not is_outage(UnexplainedError(Reason.PROVIDER_UNAVAILABLE, "the vendor failed"))


def test_an_account_that_is_refused_is_asked_for_once_and_replaced() -> None:
    assert Reason.PROVIDER_CREDENTIALS_REJECTED in REPLACED - RETRIED - OUTAGES
