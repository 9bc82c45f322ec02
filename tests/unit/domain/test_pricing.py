from aichat_server.domain.money import NanoUsd
from aichat_server.domain.pricing import TOKENS_PER_PRICE, PriceTier, cost, tier_for
from aichat_server.domain.usage import Usage
from hypothesis import given
from hypothesis import strategies as st

BASE = PriceTier(0, NanoUsd(3_000_000_000), NanoUsd(300_000_000), NanoUsd(3_750_000_000), NanoUsd(15_000_000_000))
LONG = PriceTier(200_000, NanoUsd(6_000_000_000), NanoUsd(600_000_000), NanoUsd(7_500_000_000), NanoUsd(22_500_000_000))
counts = st.integers(0, 10**9)


def test_each_bucket_has_its_own_price() -> None:
    usage = Usage(input=1000, cache_read=100, cache_write=10, output=50, reasoning=20)
    assert cost([BASE], usage) == 1000 * 3000 + 100 * 300 + 10 * 3750 + 50 * 15000


def test_a_long_request_is_priced_at_its_tier_as_a_whole() -> None:
    assert tier_for([BASE, LONG], 200_000) is BASE
    assert tier_for([BASE, LONG], 200_001) is LONG
    usage = Usage(input=150_000, cache_read=60_000, output=1)
    assert cost([BASE, LONG], usage) == 150_000 * 6000 + 60_000 * 600 + 22_500


def test_a_fraction_of_a_nano_dollar_is_rounded_up_once() -> None:
    cheap = PriceTier(0, NanoUsd(100_000), NanoUsd(100_000), NanoUsd(0), NanoUsd(100_000))
    assert cost([cheap], Usage(input=1, output=1)) == 1
    assert cost([cheap], Usage(input=5, cache_read=3, output=3)) == 2


@given(counts, counts, counts, counts)
def test_cost_never_falls_short_and_never_exceeds_by_a_nano_dollar(a: int, b: int, c: int, d: int) -> None:
    usage = Usage(input=a, cache_read=b, cache_write=c, output=d)
    exact = a * BASE.input + b * BASE.cache_read + c * BASE.cache_write + d * BASE.output
    assert 0 <= cost([BASE], usage) * TOKENS_PER_PRICE - exact < TOKENS_PER_PRICE
