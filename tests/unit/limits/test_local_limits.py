"""The limits that one process counts, with a clock of the test."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from aichat_server.limits.domain.limits import Claim, Exceeded, Granted, LimitName, Scope
from aichat_server.limits.domain.local_limits import LocalLimits
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.limits.claims import claim


def granted(limits: LocalLimits, wanted: Claim, now: float) -> Granted:
    answer = limits.take(wanted, now)
    assert isinstance(answer, Granted), answer
    return answer


def refused(limits: LocalLimits, wanted: Claim, now: float) -> Exceeded:
    answer = limits.take(wanted, now)
    assert isinstance(answer, Exceeded), answer
    return answer


def test_the_window_moves() -> None:
    limits = LocalLimits()
    for second in range(10):
        granted(limits, claim(stream=str(second), streams=99, amount=0), 100 + second)
    exceeded = refused(limits, claim(stream="x", streams=99, amount=0), 110.5)
    assert (exceeded.limit.name, exceeded.limit.scope, exceeded.used) == (LimitName.REQUESTS, Scope.API_KEY, 10)
    assert exceeded.wait == 50.5
    refused(limits, claim(stream="x", streams=99, amount=0), 160.9)
    granted(limits, claim(stream="x", streams=99, amount=0), 161)
    refused(limits, claim(stream="y", streams=99, amount=0), 161)


def test_the_organisations_limit_holds_for_all_its_keys() -> None:
    limits = LocalLimits()
    for number in range(4):
        granted(limits, claim(requests=2, stream=str(number), amount=0, key=UUID(int=10 + number)), 0)
    exceeded = refused(limits, claim(requests=2, stream="x", amount=0, key=UUID(int=99)), 0)
    assert (exceeded.limit.scope, exceeded.used) == (Scope.ORGANIZATION, 4)


def test_unused_capacity_is_released() -> None:
    limits = LocalLimits()
    first = claim(amount=90)
    second = granted(limits, first, 5).second
    assert refused(limits, claim(stream="b", amount=20), 6).used == 90
    limits.end(first, second, tokens=30)
    granted(limits, claim(stream="b", amount=70), 6)


def test_what_was_used_beyond_the_estimate_counts() -> None:
    limits = LocalLimits()
    first = claim(amount=10)
    limits.end(first, granted(limits, first, 5).second, tokens=95)
    assert refused(limits, claim(stream="b"), 6).used == 95


def test_a_turn_that_ends_after_its_minute_releases_nothing() -> None:
    limits = LocalLimits()
    first = claim(amount=90)
    second = granted(limits, first, 0).second
    later = claim(stream="b", amount=100)
    granted(limits, later, 70)
    limits.end(first, second, tokens=0)
    assert refused(limits, claim(stream="c", amount=1), 70).used == 100


def test_a_stream_releases_its_slot_when_it_ends() -> None:
    limits = LocalLimits()
    first = claim(streams=1, amount=0)
    second = granted(limits, first, 0).second
    exceeded = refused(limits, claim(streams=1, stream="b", amount=0), 1)
    assert (exceeded.limit.name, exceeded.used, exceeded.wait) == (LimitName.STREAMS, 1, None)
    limits.end(first, second, tokens=0)
    granted(limits, claim(streams=1, stream="b", amount=0), 1)


def test_a_stream_that_is_open_is_joined_for_one_request() -> None:
    limits = LocalLimits()
    full = claim(requests=2, streams=1, amount=100)
    assert not granted(limits, full, 0).joined
    assert granted(limits, full, 0).joined
    assert refused(limits, full, 0).limit.name is LimitName.REQUESTS


def test_expired_counts_are_deleted() -> None:
    limits = LocalLimits()
    wanted = claim()
    limits.end(wanted, granted(limits, wanted, 0).second, tokens=5)
    limits.forget(61)
    assert vars(limits) == vars(LocalLimits())


calls = st.lists(
    st.tuples(
        st.floats(0, 30), st.integers(0, 120), st.booleans(), st.sampled_from([2, 3])
    ),
    max_size=60,
)  # fmt: skip


@given(calls)
def test_no_minute_ever_holds_more_than_a_limit_and_a_refusal_takes_nothing(
    calls: list[tuple[float, int, bool, int]],
) -> None:
    limits, now = LocalLimits(), 1000.0
    taken: list[tuple[float, int, int]] = []
    streams: list[Claim] = []
    for number, (pause, amount, ends, key) in enumerate(calls):
        now += pause
        wanted = claim(stream=str(number), amount=min(amount, 100), key=UUID(int=key))
        answer = limits.take(wanted, now)
        minute = [(amount, key) for at, amount, key in taken if at > now - 60]
        if isinstance(answer, Exceeded):
            assert answer.used <= answer.limit.most < answer.used + answer.limit.amount
            if answer.wait is not None:
                assert 0 < answer.wait <= 61
            # If it had taken anything, the next answer would show more use.
            assert limits.take(wanted, now) == answer
            continue
        taken.append((now, wanted.tokens[0].amount, key))
        minute.append((wanted.tokens[0].amount, key))
        assert len(minute) <= 20
        assert sum(amount for amount, _ in minute) <= 200
        for one in (2, 3):
            assert len([key for _, key in minute if key == one]) <= 10
            assert sum(amount for amount, key in minute if key == one) <= 100
        streams.append(wanted)
        assert len(streams) <= 10
        if ends:
            ended = streams.pop(0)
            limits.end(replace(ended, tokens=()), 0, 0)


@given(st.lists(st.tuples(st.floats(0, 20), st.integers(1, 100)), min_size=1, max_size=40))
def test_a_refused_call_is_admitted_after_the_given_delay(calls: list[tuple[float, int]]) -> None:
    limits, now = LocalLimits(), 1000.0
    for number, (pause, amount) in enumerate(calls):
        now += pause
        wanted = claim(requests=1000, streams=1000, stream=str(number), amount=amount)
        answer = limits.take(wanted, now)
        if isinstance(answer, Exceeded):
            assert answer.wait is not None
            assert isinstance(limits.take(wanted, now + answer.wait - 0.01), Exceeded)
            now += answer.wait
            granted(limits, wanted, now + 1e-6)
