"""Caches the models' prices, and reads them from the database at regular intervals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NoReturn, Protocol

import structlog

from aichat_server.core.database.database import Database
from aichat_server.core.database.owner import owner_session
from aichat_server.core.errors import AichatError
from aichat_server.models.domain.pricing import Price, missing_prices, price_at
from aichat_server.models.storage import PriceRepository

_log = structlog.get_logger()


PriceLists = Mapping[tuple[str, str], Sequence[Price]]
"""Prices by provider and model, ascending by version."""


class PriceSource(Protocol):
    """Where prices are stored."""

    async def prices(self) -> Mapping[tuple[str, str], tuple[Price, ...]]:
        """Returns every price of every model, by provider and model, ascending by version."""
        ...


class StoredPrices:
    """The prices in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def prices(self) -> Mapping[tuple[str, str], tuple[Price, ...]]:
        """Returns every price of every model, by provider and model, ascending by version.

        Raises STORAGE_UNAVAILABLE.
        """
        async with self._database.platform_session() as session:
            return await PriceRepository(session).list()


def _now() -> datetime:
    return datetime.now(UTC)


class PriceBook:
    """The prices as last read. An announced price comes into force at its moment, without another read."""

    def __init__(self, source: PriceSource, clock: Callable[[], datetime] = _now) -> None:
        self._source = source
        self._clock = clock
        self._prices: Mapping[tuple[str, str], tuple[Price, ...]] = {}

    def current(self, provider: str, model: str) -> Price | None:
        """Returns the model's price in force; None if it has none."""
        return price_at(self._prices.get((provider, model), ()), self._clock())

    def announced(self, provider: str, model: str) -> tuple[Price, ...]:
        """Returns the model's prices that are not in force yet, the next one first."""
        prices, now = self._prices.get((provider, model), ()), self._clock()
        # Of several within one second the last one applies.
        coming = {price.version.replace(microsecond=0): price for price in prices if price.version > now}
        return tuple(coming.values())

    async def refresh(self) -> None:
        """Reads the prices; STORAGE_UNAVAILABLE keeps those that were read before."""
        self._prices = await self._source.prices()

    async def keep_fresh(self, seconds: float) -> NoReturn:
        """Reads the prices again every `seconds`."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.refresh()
            except AichatError as error:
                _log.warning("prices not read; the earlier ones stay in force", reason=error.reason)


async def add_prices(url: str, wanted: PriceLists) -> int:
    """Makes the prices equal to `wanted` from now on, as the owner that `url` names.

    Adds a price where it differs from the one that would be in force, and changes no stored one. Returns the number
    added. Raises STORAGE_UNAVAILABLE if the database is unreachable.
    """
    async with owner_session(url) as session:
        stored = PriceRepository(session)
        now = await stored.lock()
        known = await stored.list()
        added = 0
        for (provider, model), prices in wanted.items():
            for price in missing_prices(known.get((provider, model), ()), prices, now):
                await stored.add(provider, model, price)
                added += 1
        return added
