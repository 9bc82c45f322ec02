"""The usage that an answer's stream reports while it is written, with a clock of the test."""

from __future__ import annotations

from aichat_server.generations.service.meter import Meter
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import ReasoningDelta, TextDelta, UsageReport
from hypothesis import given
from hypothesis import strategies as st


def asked() -> Usage:
    """What the model was shown."""
    return Usage(input=4)


class Clock:
    """A clock that only the test advances."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_is_reported_once_a_second_however_many_deltas_arrive() -> None:
    clock = Clock()
    meter, told = Meter(clock), []
    for _ in range(10_000):
        if meter.count(TextDelta("abcd")):
            told.append(meter.usage(asked).output)
        clock.now += 0.00035
    assert len(told) == 3
    assert told == sorted(set(told))
    assert meter.usage(asked) == Usage(input=4, output=10_000, estimated=True)


def test_an_answer_without_any_event_has_used_nothing() -> None:
    assert Meter().usage(asked) == Usage()


def test_what_the_vendor_has_counted_of_the_input_is_kept_and_the_output_goes_on() -> None:
    meter = Meter()
    early = Usage(input=9, cache_read=5, cache_write_1h=7, output=1, estimated=True)
    assert meter.report(UsageReport(early, {"so": "far"})) == early
    meter.count(ReasoningDelta("é" * 4))
    meter.count(TextDelta("x" * 9))
    used = Usage(input=9, cache_read=5, cache_write_1h=7, output=5, reasoning=2, estimated=True)
    assert (meter.usage(asked), meter.raw) == (used, {"so": "far"})


def test_after_the_vendors_own_count_nothing_is_estimated() -> None:
    clock = Clock()
    meter, exact = Meter(clock), Usage(input=9, output=1)
    meter.count(TextDelta("x" * 100))
    assert meter.usage(asked).output == 25
    assert meter.report(UsageReport(exact, {})) == exact
    clock.now += 60
    assert not meter.count(TextDelta("more"))
    assert meter.usage(asked) == exact


reports = st.builds(lambda output: UsageReport(Usage(input=1, output=output, estimated=True), {}), st.integers(0, 100))
deltas = st.text(min_size=1, max_size=20).flatmap(lambda text: st.sampled_from([TextDelta(text), ReasoningDelta(text)]))


@given(st.lists(st.one_of(reports, deltas)))
def test_an_estimate_never_falls(events: list[UsageReport | TextDelta | ReasoningDelta]) -> None:
    meter, told = Meter(), [Usage()]
    for event in events:
        if isinstance(event, UsageReport):
            told.append(meter.report(event))
        else:
            meter.count(event)
            told.append(meter.usage(asked))
        assert told[-1].output >= max(told[-2].output, told[-1].reasoning)
        assert told[-1].reasoning >= told[-2].reasoning
