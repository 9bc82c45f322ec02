"""The circuit breaker against a model of it, in any order of calls, outcomes and time."""

from __future__ import annotations

from aichat_server.providers.domain.breaker import Breaker, Ticket
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule

FAILURES = 3
SECONDS = 10.0


class BreakerMachine(RuleBasedStateMachine):
    """Calls begin and end in any way and order, and time passes."""

    calls = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(FAILURES, SECONDS)
        self.now = 0.0
        self.open_until: float | None = None
        self.era = 0
        """How often it has opened: a call counts for the era in which it began."""
        self.trials: set[object] = set()
        """The trial calls whose outcome is not known yet."""
        self.next_trial_at = 0.0
        self.failed_at: list[float] = []

    @rule(seconds=st.sampled_from([0.0, 0.5, SECONDS / 2, SECONDS, 2 * SECONDS]))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(target=calls)
    def call(self) -> object:
        ticket = self.breaker.admit(self.now)
        may_go = self.open_until is None or self.now >= max(self.open_until, self.next_trial_at)
        assert (ticket is not None) == may_go
        if ticket is None:
            return multiple()
        call = (ticket, self.era, object())
        if self.open_until is not None:
            self.trials.add(call)
            self.next_trial_at = self.now + SECONDS
        return call

    @rule(call=calls)
    def answer_begins(self, call: tuple[Ticket, int, object]) -> None:
        self.breaker.answering(call[0])
        if call in self.trials:
            self._close()

    @rule(call=consumes(calls))
    def succeed(self, call: tuple[Ticket, int, object]) -> None:
        self.breaker.succeeded(call[0])
        if self._counts(call):
            self._close()

    @rule(call=consumes(calls))
    def abandon(self, call: tuple[Ticket, int, object]) -> None:
        self.breaker.abandoned(call[0])
        if call in self.trials:
            self.trials.remove(call)
            self.next_trial_at = self.next_trial_at if self.trials else 0.0

    @rule(call=consumes(calls))
    def fail(self, call: tuple[Ticket, int, object]) -> None:
        opened = self.breaker.failed(call[0], self.now)
        expected = False
        if self._counts(call):
            self.failed_at = [*self.failed_at, self.now][-FAILURES:]
            in_a_row = len(self.failed_at) == FAILURES and self.now - self.failed_at[0] <= SECONDS
            if expected := call in self.trials or in_a_row:
                self.open_until = self.next_trial_at = self.now + SECONDS
                self.trials, self.failed_at = set(), []
                self.era += 1
        assert opened is expected

    @invariant()
    def the_wait_is_right(self) -> None:
        wait = 0.0 if self.open_until is None else max(self.open_until - self.now, 0.0)
        assert self.breaker.wait(self.now) == wait

    def _counts(self, call: tuple[Ticket, int, object]) -> bool:
        return call in self.trials if self.open_until is not None else call[1] == self.era

    def _close(self) -> None:
        self.open_until, self.trials, self.failed_at = None, set(), []


TestBreaker = BreakerMachine.TestCase


def _opened(breaker: Breaker, now: float) -> None:
    for _ in range(FAILURES):
        ticket = breaker.admit(now)
        assert ticket
        breaker.failed(ticket, now)


def test_failures_spread_over_more_than_the_window_do_not_open_it() -> None:
    breaker = Breaker(FAILURES, SECONDS)
    for n in range(10):
        now = n * SECONDS
        ticket = breaker.admit(now)
        assert ticket
        assert not breaker.failed(ticket, now)


def test_calls_from_before_it_opened_decide_nothing_after() -> None:
    breaker = Breaker(FAILURES, SECONDS)
    straggler = breaker.admit(0)
    assert straggler
    _opened(breaker, 0)
    breaker.succeeded(straggler)
    assert breaker.admit(SECONDS / 2) is None
    trial = breaker.admit(SECONDS)
    assert trial
    assert not breaker.failed(straggler, SECONDS)
    breaker.abandoned(straggler)
    assert breaker.admit(SECONDS) is None
    breaker.answering(trial)
    assert breaker.admit(SECONDS)


def test_a_silent_trial_keeps_nobody_waiting_and_still_counts() -> None:
    breaker = Breaker(FAILURES, SECONDS)
    _opened(breaker, 0)
    silent = breaker.admit(SECONDS)
    assert silent
    assert breaker.admit(1.9 * SECONDS) is None
    assert breaker.admit(2 * SECONDS)
    breaker.answering(silent)
    assert breaker.admit(2 * SECONDS)
