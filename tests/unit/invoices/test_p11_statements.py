"""Promise 11, the arithmetic's part: lines add up to the ledger to the nano-dollar, and are rounded once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from itertools import pairwise
from uuid import UUID

import pytest
from aichat_server.core.money import NanoUsd
from aichat_server.core.periods import Month, month, month_of
from aichat_server.invoices.domain.invoices import Adjustment, AdjustmentKind, Line, Terms, whole_cents
from aichat_server.invoices.domain.statements import (
    MOST_USAGE_LINES,
    LedgerEvent,
    StatementBuilder,
    finest_key,
    included_in,
    statement,
)
from aichat_server.models.domain.usage import Usage
from hypothesis import given
from hypothesis import strategies as st

TICK = timedelta(microseconds=1)
MONTHS = (month(2024, 2), month(2025, 12), month(2026, 3))


def built(of: Month, terms: Sequence[Terms], events: Sequence[LedgerEvent]) -> tuple[Line, ...]:
    ordered = sorted(events, key=lambda event: (event.occurred_at, event.generation_id))

    def piece(event: LedgerEvent) -> int:
        return next(at for at, one in enumerate(terms) if one.starts_at <= event.occurred_at < one.ends_at)

    builder = StatementBuilder(of, terms, {finest_key(piece(event), event) for event in ordered})
    for event in ordered:
        builder.add(event)
    return builder.usage_lines()


def adjusted(*amounts: int) -> list[Adjustment]:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Adjustment(UUID(int=number), AdjustmentKind.CREDIT, NanoUsd(amount), "Sorry", "ops", None, at)
        for number, amount in enumerate(amounts)
    ]


@st.composite
def terms_of(draw: st.DrawFn, of: Month) -> tuple[Terms, ...]:
    length = (of.end - of.start) // TICK
    cuts = draw(st.sets(st.integers(1, length - 1), max_size=3))
    bounds = [of.start, *(of.start + cut * TICK for cut in sorted(cuts)), of.end]
    return tuple(
        Terms(start, end, "pro", of.start, NanoUsd(draw(st.integers(0, 10**11))), draw(st.integers(0, 20_000)))
        for start, end in pairwise(bounds)
    )


@st.composite
def months_of_events(draw: st.DrawFn) -> tuple[Month, tuple[Terms, ...], list[LedgerEvent]]:
    of = draw(st.sampled_from(MONTHS))
    terms = draw(terms_of(of))
    length = (of.end - of.start) // TICK
    edges = [of.start, *(one.ends_at - TICK for one in terms), *(one.starts_at for one in terms)]
    moments = st.one_of(st.sampled_from(edges), st.integers(0, length - 1).map(lambda at: of.start + at * TICK))
    events = st.builds(
        LedgerEvent,
        occurred_at=moments,
        generation_id=st.uuids(),
        member_id=st.sampled_from([UUID(int=1), UUID(int=2)]),
        provider=st.sampled_from(["x", "y"]),
        model=st.sampled_from(["a", 'b","', "ä"]),
        price_version=st.sampled_from([datetime(1970, 1, 1, tzinfo=UTC), of.start]),
        usage=st.builds(Usage, *[st.integers(0, 10**9)] * 4, st.just(0), st.booleans()),
        cost=st.integers(0, 10**13).map(NanoUsd),
    )
    return of, terms, draw(st.lists(events, max_size=30, unique_by=lambda event: event.generation_id))


@given(months_of_events())
def test_lines_add_up_to_the_ledger_to_the_nano_dollar(
    drawn: tuple[Month, tuple[Terms, ...], list[LedgerEvent]],
) -> None:
    of, terms, events = drawn
    lines = built(of, terms, events)
    assert sum(line.cost for line in lines) == sum(event.cost for event in events)
    assert sum(line.events.count for line in lines if line.events) == len(events)
    assert sum(line.usage.output for line in lines) == sum(event.usage.output for event in events)
    for line in lines:
        assert 0 <= line.included <= line.cost
        assert line.terms
        exact = Fraction(line.cost - line.included) * (10_000 + line.terms.overage) / 10_000 / 10_000_000
        assert line.cents == round(exact)
    for piece in terms:
        used = sum(event.cost for event in events if piece.starts_at <= event.occurred_at < piece.ends_at)
        of_piece = [line for line in lines if line.events and piece.starts_at <= line.events.first_at < piece.ends_at]
        assert sum(line.included for line in of_piece) == min(used, included_in(piece, of))
    # Over a whole month, the pieces never include more than the month, and lose at most their rounding.
    assert sum(included_in(one, of) for one in terms) <= max(one.included for one in terms)


@given(months_of_events(), st.randoms(use_true_random=False))
def test_the_same_ledger_gives_the_same_statement_and_another_a_different_one(
    drawn: tuple[Month, tuple[Terms, ...], list[LedgerEvent]], random: object
) -> None:
    of, terms, events = drawn
    made = statement(built(of, terms, events), ())
    assert statement(built(of, terms, events[::-1]), ()) == made
    if events:
        assert statement(built(of, terms, events[1:]), ()).digest != made.digest


@given(months_of_events())
def test_an_event_of_another_month_has_no_place(
    drawn: tuple[Month, tuple[Terms, ...], list[LedgerEvent]],
) -> None:
    of, terms, events = drawn
    for other in (month_of(of.start - TICK), month_of(of.end)):
        for event in events:
            with pytest.raises(ValueError, match="another month"):
                StatementBuilder(other, terms, ()).add(event)


@given(st.lists(st.integers(-(10**12), 10**12).filter(bool), max_size=8), st.integers(0, 10**12))
def test_no_invoice_is_below_0_and_no_credit_is_lost(amounts: list[int], cost: int) -> None:
    of = MONTHS[2]
    event = LedgerEvent(of.start, UUID(int=1), UUID(int=2), "x", "a", of.start, Usage(), NanoUsd(cost))
    terms = (Terms(of.start, of.end, "pro", of.start, NanoUsd(0), 0),)
    made = statement(built(of, terms, [event]), adjusted(*amounts))
    assert made.total >= 0
    assert made.total + made.carried // 10_000_000 == whole_cents(cost) + sum(map(whole_cents, amounts))
    assert made.carried == 0 or made.total == 0


@pytest.mark.parametrize(
    ("nano", "overage", "cents"),
    [
        (5_000_000, 0, 0),
        (5_000_001, 0, 1),
        (15_000_000, 0, 2),
        (25_000_000, 0, 2),
        (-5_000_000, 0, 0),
        (-15_000_000, 0, -2),
        (12_500_000, 2_000, 2),
        (4_166_666, 2_000, 0),
        (4_166_667, 2_000, 1),
    ],
)
def test_halves_of_a_cent_go_to_the_even_one(nano: int, overage: int, cents: int) -> None:
    assert whole_cents(nano, overage) == cents


@pytest.mark.parametrize(("members", "lines"), [(MOST_USAGE_LINES, MOST_USAGE_LINES), (MOST_USAGE_LINES + 1, 1)])
def test_lines_are_as_fine_as_fits(members: int, lines: int) -> None:
    of = MONTHS[2]
    terms = (Terms(of.start, of.end, "pro", of.start, NanoUsd(0), 0),)
    events = [
        LedgerEvent(of.start, UUID(int=at), UUID(int=at), "x", "a", of.start, Usage(), NanoUsd(at))
        for at in range(members)
    ]
    made = built(of, terms, events)
    assert len(made) == lines
    assert sum(line.cost for line in made) == sum(range(members))
