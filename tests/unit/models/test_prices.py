"""The server's cached prices: each comes into force at its moment, and an outage loses none."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.pricing import BEGINNING, Price, PriceTier
from aichat_server.models.service import PriceBook

LATER = BEGINNING + timedelta(days=1)


def price(days: int, nano: int) -> Price:
    """Returns a price that is in force from `days` days after the beginning."""
    tier = PriceTier(0, *([NanoUsd(nano)] * 6))
    return Price(BEGINNING + timedelta(days=days), (tier,))


class Source:
    """Prices, with an occasional outage."""

    def __init__(self) -> None:
        self.kept: Mapping[tuple[str, str], tuple[Price, ...]] = {}
        self.away = False
        self.asked = asyncio.Event()

    async def prices(self) -> Mapping[tuple[str, str], tuple[Price, ...]]:
        self.asked.set()
        if self.away:
            raise AichatError(Reason.STORAGE_UNAVAILABLE, "away")
        return self.kept


async def test_an_announced_price_comes_into_force_without_being_read_again() -> None:
    source, now = Source(), [BEGINNING]
    source.kept = {("v", "m"): (price(0, 1), price(1, 2))}
    book = PriceBook(source, lambda: now[0])
    assert book.current("v", "m") is None
    await book.refresh()
    assert book.current("v", "m") == price(0, 1)
    now[0] = LATER
    assert book.current("v", "m") == price(1, 2)
    assert book.current("v", "another") is None


async def test_an_outage_leaves_the_prices_as_they_were_and_ends() -> None:
    source = Source()
    source.kept = {("v", "m"): (price(0, 1),)}
    book = PriceBook(source)
    await book.refresh()
    source.away, source.kept = True, {("v", "m"): (price(0, 1), price(1, 2))}
    refreshing = asyncio.create_task(book.keep_fresh(0.001))
    for _ in range(2):
        source.asked.clear()
        await source.asked.wait()
        assert book.current("v", "m") == price(0, 1)
    source.away = False
    async with asyncio.timeout(5):
        while book.current("v", "m") != price(1, 2):
            source.asked.clear()
            await source.asked.wait()
    refreshing.cancel()
