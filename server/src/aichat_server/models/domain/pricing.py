"""Computes what usage costs, and the most that a turn may cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.usage import INPUT_KINDS, KINDS, TOKENS_PER_PRICE, Usage

BEGINNING = datetime.fromtimestamp(0, UTC)
"""The moment from which a model's first known price is in force in the ledger."""

_INSTANT = timedelta(microseconds=1)
_SECOND = timedelta(seconds=1)

FRAMING_TOKENS = 256
"""More than any vendor adds to a request: roles, separators, a preamble."""


@dataclass(frozen=True, slots=True)
class PriceTier:
    """Prices for requests with more than `above` input tokens: per million tokens, except `web_search`."""

    above: int
    input: NanoUsd
    cache_read: NanoUsd
    cache_write: NanoUsd
    cache_write_1h: NanoUsd
    output: NanoUsd
    web_search: NanoUsd
    """For one search; 0 if unknown."""

    def by_name(self) -> dict[str, NanoUsd]:
        """Returns each price by its field."""
        return {kind.price: getattr(self, kind.price) for kind in KINDS if kind.price is not None}


@dataclass(frozen=True, slots=True)
class Price:
    """A model's price from a moment on, until its next price."""

    version: datetime
    """That moment, which names the price."""
    tiers: tuple[PriceTier, ...]
    """Ascending by threshold, the first at 0."""


@dataclass(frozen=True, slots=True)
class Hold:
    """The most that a turn may cost: never less than it will, within the limits of its request."""

    known: NanoUsd
    """For the new message and the longest answer."""
    history: NanoUsd
    """For each million bytes of the conversation that the message follows."""
    most: NanoUsd | None
    """For the fullest context that the model accepts; None if unknown."""


def price_at(prices: Sequence[Price], moment: datetime) -> Price | None:
    """Returns the price in force at `moment`; `prices` ascend by version."""
    return next((price for price in reversed(prices) if price.version <= moment), None)


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


def tier_for(tiers: Sequence[PriceTier], input_tokens: int) -> PriceTier:
    """Returns the tier for a request with that number of input tokens; `tiers` ascend and begin at 0."""
    return next(tier for tier in reversed(tiers) if tier.above == 0 or input_tokens > tier.above)


def cost(tiers: Sequence[PriceTier], usage: Usage) -> NanoUsd:
    """Returns the cost of `usage`, rounded up once to a whole nano-dollar."""
    tier = tier_for(tiers, usage.total_input)
    total = 0
    for kind in KINDS:
        if kind.price is not None:
            percent = usage.percent if kind.per == TOKENS_PER_PRICE else 100
            price: int = getattr(tier, kind.price) * (TOKENS_PER_PRICE // kind.per)
            total += getattr(usage, kind.name) * price * percent
    return NanoUsd(-(-total // (100 * TOKENS_PER_PRICE)))


def hold_for(
    tiers: Sequence[PriceTier],
    *,
    input_bytes: int,
    more_tokens: int = 0,
    searches: int = 0,
    has_history: bool,
    max_output_tokens: int,
    context_window: int,
    most_percent: int = 100,
) -> Hold:
    """Returns the hold for a turn with `input_bytes` of new input in UTF-8; a `context_window` of 0 is unknown.

    `more_tokens`: the most that the vendor counts besides these bytes: for images, documents, audio and tools.
    `searches`: the most that the vendor makes. `most_percent`: see Model.

    A token has at least one byte, so the bytes are never fewer than the tokens that the vendor will count. Each byte
    has the price of the dearest class of input in the dearest tier that the turn could reach; with a history of unknown
    length that is any tier. What searches find may fill the context.
    """
    known_tokens = max(input_bytes + more_tokens + FRAMING_TOKENS, context_window if searches else 0)
    reached = [tier for tier in tiers if has_history or tier.above == 0 or known_tokens > tier.above]
    dearest = max(getattr(tier, kind.price) for tier in reached for kind in INPUT_KINDS if kind.price is not None)
    asked = -(-dearest * most_percent // 100)
    answered = -(-max_output_tokens * max(tier.output for tier in reached) * most_percent // 100)
    searched = searches * max(tier.web_search for tier in reached)
    return Hold(
        known=NanoUsd(_rounded_up(known_tokens * asked + answered) + searched),
        history=NanoUsd(asked),
        most=NanoUsd(_rounded_up(context_window * asked + answered) + searched) if context_window else None,
    )


def dearest_hold(holds: Sequence[Hold]) -> Hold:
    """Returns the hold for a turn that any of several models may answer; `holds` are those of each model."""
    most = [hold.most for hold in holds if hold.most is not None]
    return Hold(
        known=max(hold.known for hold in holds),
        history=max(hold.history for hold in holds),
        most=max(most) if len(most) == len(holds) else None,
    )


def _rounded_up(nano_per_million: int) -> NanoUsd:
    return NanoUsd(-(-nano_per_million // TOKENS_PER_PRICE))
