"""What usage costs; and for promise 6, that no turn costs more than its hold."""

from datetime import UTC, datetime, timedelta

from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.pricing import (
    BEGINNING,
    FRAMING_TOKENS,
    Hold,
    Price,
    PriceTier,
    cost,
    dearest_hold,
    hold_for,
    price_at,
    tier_for,
)
from aichat_server.models.domain.usage import TOKENS_PER_PRICE, Usage
from hypothesis import given
from hypothesis import strategies as st


def tier(above: int, *nano: int) -> PriceTier:
    """Returns prices of input, cache read, cache write for minutes and for an hour, output and a web search."""
    return PriceTier(above, *map(NanoUsd, nano))


BASE = tier(0, 3_000_000_000, 300_000_000, 3_750_000_000, 6_000_000_000, 15_000_000_000, 10_000_000)
LONG = tier(200_000, 6_000_000_000, 600_000_000, 7_500_000_000, 12_000_000_000, 22_500_000_000, 10_000_000)
counts = st.integers(0, 10**9)


def test_each_bucket_has_its_own_price() -> None:
    usage = Usage(
        input=1000, cache_read=100, cache_write=10, cache_write_1h=20, output=50, reasoning=20, web_searches=2
    )  # fmt: skip
    tokens = 1000 * 3000 + 100 * 300 + 10 * 3750 + 20 * 6000 + 50 * 15000
    assert cost([BASE], usage) == tokens + 2 * 10_000_000


def test_a_long_request_is_priced_at_its_tier_as_a_whole() -> None:
    assert tier_for([BASE, LONG], 200_000) is BASE
    assert tier_for([BASE, LONG], 200_001) is LONG
    usage = Usage(input=140_000, cache_write_1h=10_000, cache_read=60_000, output=1)
    assert cost([BASE, LONG], usage) == 140_000 * 6000 + 10_000 * 12_000 + 60_000 * 600 + 22_500


def test_a_fraction_of_a_nano_dollar_is_rounded_up_once() -> None:
    cheap = tier(0, 100_000, 100_000, 0, 0, 100_000, 0)
    assert cost([cheap], Usage(input=1, output=1)) == 1
    assert cost([cheap], Usage(input=5, cache_read=3, output=3)) == 2


@given(counts, counts, counts, counts, counts)
def test_cost_never_falls_short_and_never_exceeds_by_a_nano_dollar(a: int, b: int, c: int, d: int, e: int) -> None:
    usage = Usage(input=a, cache_read=b, cache_write=c, cache_write_1h=d, output=e)
    exact = a * BASE.input + b * BASE.cache_read + c * BASE.cache_write
    exact += d * BASE.cache_write_1h + e * BASE.output
    assert 0 <= cost([BASE], usage) * TOKENS_PER_PRICE - exact < TOKENS_PER_PRICE


def hold(input_bytes: int, **changes: int) -> Hold:
    """Returns a hold with the two tiers, in a new conversation."""
    asked = {"max_output_tokens": 100, "context_window": 0, "has_history": 0} | changes
    return hold_for(
        [BASE, LONG],
        input_bytes=input_bytes,
        more_tokens=asked.get("more_tokens", 0),
        searches=asked.get("searches", 0),
        has_history=bool(asked["has_history"]),
        max_output_tokens=asked["max_output_tokens"],
        context_window=asked["context_window"],
    )


def test_a_hold_is_priced_at_the_dearest_tier_in_reach() -> None:
    assert hold(0) == Hold(NanoUsd(FRAMING_TOKENS * 6000 + 100 * 15_000), BASE.cache_write_1h, None)
    assert hold(0, has_history=1).known == FRAMING_TOKENS * 12_000 + 100 * 22_500
    assert hold(200_001) == Hold(NanoUsd((200_001 + FRAMING_TOKENS) * 12_000 + 100 * 22_500), LONG.cache_write_1h, None)
    assert hold(0, context_window=1000).most == 1000 * 6000 + 100 * 15_000


def test_media_and_tools_are_held_like_bytes_and_searches_by_the_piece() -> None:
    assert hold(100, more_tokens=900) == hold(1000)
    assert hold(0, more_tokens=200_000) == hold(200_000)
    searching, whole = hold(0, searches=3, context_window=1000), 1000 * 6000 + 100 * 15_000 + 3 * BASE.web_search
    assert (searching.known, searching.most) == (whole, whole)


@given(counts, st.integers(0, 10**5), st.integers(0, 10**5), st.integers(0, 10**5), st.booleans())
def test_no_turn_costs_more_than_its_hold(size: int, new: int, old: int, written: int, follows: bool) -> None:
    history = size % 10**6 if follows else 0
    held = hold(new, has_history=follows, max_output_tokens=old)
    most = held.known + history * held.history // TOKENS_PER_PRICE
    tokens = new + history
    usage = Usage(input=tokens - min(written, tokens), cache_write_1h=min(written, tokens), output=old)
    assert cost([BASE, LONG], usage) <= most


def test_a_hold_for_several_models_is_each_ones_dearest_part() -> None:
    one, other = Hold(NanoUsd(5), NanoUsd(1), NanoUsd(7)), Hold(NanoUsd(3), NanoUsd(2), NanoUsd(9))
    assert dearest_hold([one, other]) == Hold(NanoUsd(5), NanoUsd(2), NanoUsd(9))
    assert dearest_hold([one, Hold(NanoUsd(0), NanoUsd(0), None)]) == Hold(NanoUsd(5), NanoUsd(1), None)


def test_a_price_is_in_force_from_its_moment_until_the_next_ones() -> None:
    first, second = Price(BEGINNING, (BASE,)), Price(datetime(2026, 12, 1, tzinfo=UTC), (LONG,))
    assert price_at([first, second], second.version - timedelta(microseconds=1)) is first
    assert price_at([first, second], second.version) is second
    assert price_at([second], BEGINNING) is None
