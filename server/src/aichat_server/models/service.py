"""Caches the models' prices, and reads them from the database at regular intervals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import NoReturn, Protocol

import structlog

from aichat_server.core.errors import AichatError
from aichat_server.models.domain.pricing import Price, price_at

_log = structlog.get_logger()


class PriceSource(Protocol):
    """Where prices are stored."""

    async def prices(self) -> Mapping[tuple[str, str], tuple[Price, ...]]:
        """Returns every price of every model, by provider and model, ascending by version."""
        ...


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
