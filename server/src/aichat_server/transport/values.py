"""Converts values that several services have in common."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Protocol

from aichat.v1 import messages_pb2, models_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from aichat_server.core.money import NANO_PER_CENT, NANO_PER_USD, NanoUsd


class CountedUsage(Protocol):
    """The usage of a generation, with a count for each kind."""

    @property
    def estimated(self) -> bool:
        """True if the vendor never gave its final count."""
        ...

    def by_column(self) -> Mapping[str, int]:
        """Returns each count by its name in the contract."""
        ...


class PricedTokens(Protocol):
    """Prices for requests with more input than a threshold."""

    @property
    def above(self) -> int:
        """The threshold."""
        ...

    def by_name(self) -> Mapping[str, NanoUsd]:
        """Returns each price by its name in the contract."""
        ...


def price_to_proto(prices: PricedTokens) -> models_pb2.ModelPrice:
    """Returns a model's prices above a threshold."""
    told = {name: money_to_proto(price) for name, price in prices.by_name().items()}
    return models_pb2.ModelPrice(above_tokens=prices.above, **told)


def price_change_to_proto(moment: datetime, prices: Iterable[PricedTokens]) -> models_pb2.PriceChange:
    """Returns a model's prices from a moment on."""
    return models_pb2.PriceChange(effective_time=timestamp(moment), prices=map(price_to_proto, prices))


def usage_to_proto(usage: CountedUsage) -> messages_pb2.Usage:
    """Returns what was used."""
    return messages_pb2.Usage(**usage.by_column(), estimated=usage.estimated)


def money_to_proto(nano: NanoUsd) -> Money:
    """Returns US dollars."""
    return _money("USD", nano)


def cents_to_proto(cents: int, currency: str = "USD") -> Money:
    """Returns an amount in hundredths of a currency, whose code may be in small letters."""
    return _money(currency.upper(), cents * NANO_PER_CENT)


def timestamp(value: datetime) -> Timestamp:
    """Returns a moment, to the microsecond."""
    timestamp = Timestamp()
    timestamp.FromDatetime(value)
    return timestamp


def _money(currency: str, nano: int) -> Money:
    # Units and nanos must have the same sign in google.type.Money.
    units, nanos = divmod(abs(nano), NANO_PER_USD)
    sign = -1 if nano < 0 else 1
    return Money(currency_code=currency, units=sign * units, nanos=sign * nanos)
