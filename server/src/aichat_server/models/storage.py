"""Stores prices: the server reads them, the owner adds to them, and nobody changes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from itertools import groupby

from sqlalchemy import BigInteger, Column, Table, Text, func, insert, select, text

from aichat_server.core.database.session import PlatformRepository
from aichat_server.core.database.tables import Time, metadata
from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.pricing import Price, PriceTier
from aichat_server.models.domain.usage import KINDS

_prices = Table(
    "prices",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("valid_from", Time, primary_key=True),
    Column("above_tokens", BigInteger, primary_key=True),
    *(Column(kind.price, BigInteger, nullable=False) for kind in KINDS if kind.price is not None),
)

_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('aichat.prices'))")
# The prices of a tier, which have the same names in the database.
_NANO = tuple(kind.price for kind in KINDS if kind.price is not None)


class PriceRepository(PlatformRepository):
    """Returns every price of every model, by provider and model, ascending by version."""

    async def list(self) -> dict[tuple[str, str], tuple[Price, ...]]:
        """Returns every price of every model, by provider and model, ascending by version."""
        rows = (await self._connection.execute(select(_prices).order_by(*_prices.primary_key.columns))).all()
        found: dict[tuple[str, str], tuple[Price, ...]] = {}
        for (provider, model, version), tiers in groupby(rows, lambda row: (row.provider, row.model, row.valid_from)):
            price = Price(version, tuple(_tier(row) for row in tiers))
            found[provider, model] = (*found.get((provider, model), ()), price)
        return found

    async def lock(self) -> datetime:
        """Waits for concurrent additions of prices; returns the database's time."""
        await self._connection.execute(_LOCK)
        now: datetime = (await self._connection.execute(select(func.clock_timestamp()))).scalar_one()
        return now

    async def add(self, provider: str, model: str, price: Price) -> None:
        """Adds a price, as the schema's owner."""
        await self._connection.execute(insert(_prices), list(_rows(provider, model, price)))


def _tier(row: object) -> PriceTier:
    prices = {name: NanoUsd(getattr(row, name)) for name in _NANO}
    return PriceTier(above=row.above_tokens, **prices)  # type: ignore[attr-defined]


def _rows(provider: str, model: str, price: Price) -> Iterable[dict[str, object]]:
    for tier in price.tiers:
        yield {
            "provider": provider,
            "model": model,
            "valid_from": price.version,
            "above_tokens": tier.above,
            **{name: getattr(tier, name) for name in _NANO},
        }
