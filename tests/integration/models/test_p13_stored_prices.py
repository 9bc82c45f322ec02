"""Promise 13: a changed price is a new row from then on, and existing rows stay unchanged."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.pricing import BEGINNING, Price, PriceTier, missing_prices, price_at
from aichat_server.models.service import StoredPrices, add_prices
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
DAYS = [NOW + timedelta(days=day) for day in range(1, 4)]


def tiers(*inputs: int) -> tuple[PriceTier, ...]:
    """Returns tiers with these input prices."""
    others = tuple(NanoUsd(nano) for nano in range(1, 6))
    return tuple(PriceTier(1000 * number, NanoUsd(nano), *others) for number, nano in enumerate(inputs))


async def test_prices_are_added_once_and_read_back(postgres: Postgres, database: Database) -> None:
    one, other = ("vendor", f"model-{uuid4()}"), ("vendor", f"model-{uuid4()}")
    wanted = {
        one: [Price(BEGINNING, tiers(5, 7))],
        other: [Price(BEGINNING, tiers(5)), Price(datetime(2999, 1, 1, tzinfo=UTC), tiers(6))],
    }
    assert await add_prices(postgres.owner_url, wanted) == 3
    assert await add_prices(postgres.owner_url, wanted) == 0
    stored = await StoredPrices(database).prices()
    assert {name: list(stored[name]) for name in wanted} == wanted


async def test_a_changed_price_is_a_new_version_from_now_on(postgres: Postgres, database: Database) -> None:
    name = ("vendor", f"model-{uuid4()}")
    before = datetime.now(UTC)
    for nano in (5, 6, 6):
        await add_prices(postgres.owner_url, {name: [Price(BEGINNING, tiers(nano))]})
    first, second = (await StoredPrices(database).prices())[name]
    assert first == Price(BEGINNING, tiers(5))
    assert second.tiers == tiers(6)
    assert before < second.version < datetime.now(UTC)


@pytest.mark.parametrize("later", [[], [Price(DAYS[1], tiers(9))], [Price(DAYS[0], tiers(9))]])
def test_an_announcement_that_changes_is_replaced(later: list[Price]) -> None:
    known = (Price(BEGINNING, tiers(5)), Price(DAYS[0], tiers(7)))
    wanted = (Price(BEGINNING, tiers(5)), *later)
    added = missing_prices(known, wanted, NOW)
    assert added
    together = sorted([*known, *added], key=lambda price: price.version)
    for day in DAYS:
        settled = day + timedelta(seconds=1)
        assert _tiers(together, settled) == _tiers(wanted, settled)
    assert missing_prices(together, wanted, NOW) == ()


prices = st.dictionaries(st.sampled_from(DAYS), st.integers(1, 3)).map(
    lambda days: [Price(day, tiers(nano)) for day, nano in sorted(days.items())]
)


@given(st.lists(st.tuples(st.integers(1, 3), prices), min_size=1, max_size=5))
def test_whatever_is_announced_the_last_price_applies_and_none_is_changed(
    words: list[tuple[int, list[Price]]],
) -> None:
    known: list[Price] = []
    for hour, (nano, later) in enumerate(words):
        now = NOW + timedelta(hours=hour)
        wanted = [Price(BEGINNING, tiers(nano)), *later]
        added = missing_prices(known, wanted, now)
        known = sorted([*known, *added], key=lambda price: price.version)
        assert len({price.version for price in known}) == len(known)
        assert all(price.version >= now for price in added) or added == (known[0], *added[1:])
        for moment in (now, *(day + timedelta(seconds=1) for day in DAYS)):
            assert _tiers(known, moment) == _tiers(wanted, moment)
        assert missing_prices(known, wanted, now) == ()


def _tiers(prices: Sequence[Price], moment: datetime) -> tuple[PriceTier, ...] | None:
    price = price_at(prices, moment)
    return price.tiers if price else None
