"""The gate to one vendor: what it admits, what it refuses, and what it learns from."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.providers.domain.breaker import Breaker
from aichat_server.providers.domain.retry import UnexplainedError
from aichat_server.providers.service.gate import Gate, GateClosedError, Line

FAILURES = 3
SECONDS = 10.0


class Clock:
    """A clock that only the test advances."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def line() -> Line:
    return Line("a-vendor", connections=2)


@pytest.fixture
def gate(line: Line, clock: Clock) -> Gate:
    return Gate("a-model", line, Breaker(FAILURES, SECONDS), clock)


def call(gate: Gate, ending: BaseException | None = None) -> None:
    """Makes a call with this outcome."""
    with gate.call():
        if ending is not None:
            raise ending


def fail(gate: Gate, reason: Reason, times: int = 1) -> None:
    for _ in range(times):
        with pytest.raises(AichatError) as caught:
            call(gate, AichatError(reason, "the vendor failed"))
        assert caught.value.reason is reason
        assert not isinstance(caught.value, GateClosedError)


def refused(gate: Gate) -> GateClosedError:
    with pytest.raises(GateClosedError) as caught:
        call(gate)
    assert caught.value.metadata["provider"] == "a-vendor"
    return caught.value


def test_outages_close_it_for_a_while(gate: Gate, clock: Clock) -> None:
    fail(gate, Reason.PROVIDER_UNAVAILABLE, FAILURES)
    clock.now += 4
    error = refused(gate)
    assert (error.reason, error.retry_after) == (Reason.PROVIDER_UNAVAILABLE, SECONDS - 4)
    clock.now += SECONDS
    call(gate)
    call(gate)


def test_one_call_tries_it_and_lets_the_others_in_when_its_answer_begins(gate: Gate, clock: Clock) -> None:
    fail(gate, Reason.PROVIDER_UNAVAILABLE, FAILURES)
    clock.now += SECONDS
    with gate.call() as answer_begins:
        assert refused(gate).retry_after == 1.0
        answer_begins()
        call(gate)


def test_a_trial_that_fails_closes_it_again(gate: Gate, clock: Clock) -> None:
    fail(gate, Reason.PROVIDER_OVERLOADED, FAILURES)
    clock.now += SECONDS
    fail(gate, Reason.PROVIDER_OVERLOADED)
    assert refused(gate).retry_after == SECONDS


@pytest.mark.parametrize(
    "reason",
    [
        Reason.PROVIDER_REQUEST_REJECTED,
        Reason.PROVIDER_CREDENTIALS_REJECTED,
        Reason.PROVIDER_RATE_LIMITED,
        Reason.ANSWER_REFUSED,
        Reason.PROVIDER_TIMEOUT,
        Reason.PROVIDER_STREAM_BROKEN,
        Reason.PROVIDER_EMPTY_ANSWER,
    ],
)
def test_failures_not_caused_by_the_vendor_do_not_count(gate: Gate, reason: Reason) -> None:
    fail(gate, reason, 2 * FAILURES)
    fail(gate, Reason.PROVIDER_UNAVAILABLE, FAILURES - 1)
    fail(gate, reason)
    fail(gate, Reason.PROVIDER_UNAVAILABLE)
    refused(gate)


def test_words_that_nobody_knows_do_not_count(gate: Gate) -> None:
    for _ in range(2 * FAILURES):
        with suppress(UnexplainedError):
            call(gate, UnexplainedError(Reason.PROVIDER_UNAVAILABLE, "the vendor failed"))


def test_an_open_breaker_does_not_affect_the_vendors_other_models(gate: Gate, line: Line, clock: Clock) -> None:
    other = Gate("another-model", line, Breaker(FAILURES, SECONDS), clock)
    fail(gate, Reason.PROVIDER_UNAVAILABLE, FAILURES)
    assert refused(gate).metadata["model"] == "a-model"
    with other.call(), other.call():
        with pytest.raises(GateClosedError) as caught:
            call(other)
        assert caught.value.reason is Reason.PROVIDER_OVERLOADED


def test_a_success_forgives(gate: Gate) -> None:
    fail(gate, Reason.PROVIDER_UNAVAILABLE, FAILURES - 1)
    call(gate)
    fail(gate, Reason.PROVIDER_UNAVAILABLE, FAILURES - 1)
    call(gate)


@pytest.mark.parametrize("ending", [asyncio.CancelledError(), GeneratorExit(), RuntimeError()])
def test_an_inconclusive_trial_allows_another(gate: Gate, clock: Clock, ending: BaseException) -> None:
    fail(gate, Reason.PROVIDER_UNAVAILABLE, FAILURES)
    clock.now += SECONDS
    with suppress(type(ending)):
        call(gate, ending)
    call(gate)


def test_no_more_calls_at_once_than_it_may_have(gate: Gate) -> None:
    with gate.call():
        with gate.call():
            for _ in range(2 * FAILURES):
                error = refused(gate)
                assert (error.reason, error.retry_after) == (Reason.PROVIDER_OVERLOADED, 1.0)
        call(gate)
    fail(gate, Reason.PROVIDER_REQUEST_REJECTED, 5)
    call(gate)
