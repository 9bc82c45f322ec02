"""Stores prices: the server reads them, the owner adds to them, and nobody changes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from sqlalchemy import func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from aichat_server.core.database.owner import owner_transaction
from aichat_server.core.database.tables import prices as table
from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.pricing import BEGINNING, Price, PriceTier, price_at
from aichat_server.models.domain.usage import KINDS

PriceLists = Mapping[tuple[str, str], Sequence[Price]]
"""Prices by provider and model, ascending by version."""

# Concurrent additions of prices wait for each other.
_LOCK = text("SELECT pg_advisory_xact_lock(hashtext('aichat.prices'))")
# The prices of a tier, which have the same names in the database.
_NANO = tuple(kind.price for kind in KINDS if kind.price is not None)
_INSTANT = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)


async def read_prices(connection: AsyncConnection) -> dict[tuple[str, str], tuple[Price, ...]]:
    """Returns every price of every model, by provider and model, ascending by version."""
    rows = (await connection.execute(select(table).order_by(*table.primary_key.columns))).all()
    found: dict[tuple[str, str], tuple[Price, ...]] = {}
    for (provider, model, version), tiers in groupby(rows, lambda row: (row.provider, row.model, row.valid_from)):
        price = Price(version, tuple(_tier(row) for row in tiers))
        found[provider, model] = (*found.get((provider, model), ()), price)
    return found


async def add_prices(url: str, wanted: PriceLists) -> int:
    """Makes the prices equal to `wanted` from now on, as the owner that `url` names.

    Adds a price where it differs from the one that would be in force, and changes no stored one; returns the number
    added. Raises STORAGE_UNAVAILABLE if the database is unreachable.
    """
    async with owner_transaction(url) as connection:
        await connection.execute(_LOCK)
        known = await read_prices(connection)
        now: datetime = (await connection.execute(select(func.clock_timestamp()))).scalar_one()
        added = 0
        for (provider, model), prices in wanted.items():
            new = missing_prices(known.get((provider, model), ()), prices, now)
            for price in new:
                await connection.execute(insert(table), list(_rows(provider, model, price)))
            added += len(new)
        return added


def missing_prices(known: Sequence[Price], wanted: Sequence[Price], now: datetime) -> tuple[Price, ...]:
    """Returns what to add to `known`, so that from `now` on the prices equal `wanted`; both ascend by version.

    A model's first price has always been in force. An announced price that will not come into force as announced is
    replaced within the same second by the price that applies.
    """
    prices, added = list(known), list[Price]()
    coming = {price.version.replace(microsecond=0) for price in (*known, *wanted) if price.version > now}
    for moment in (now, *sorted(coming)):
        settled = moment if moment == now else moment + _SECOND - _INSTANT
        right, stored = price_at(wanted, settled), price_at(prices, settled)
        if right is None or (stored is not None and stored.tiers == right.tiers):
            continue
        version = moment if prices or moment > now else BEGINNING
        while any(price.version == version for price in prices):
            version += _INSTANT
        price = Price(version, right.tiers)
        added.append(price)
        prices = sorted([*prices, price], key=lambda price: price.version)
    return tuple(added)


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
