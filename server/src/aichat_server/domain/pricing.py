"""What usage costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from aichat_server.domain.money import NanoUsd
from aichat_server.domain.usage import Usage

TOKENS_PER_PRICE = 1_000_000


@dataclass(frozen=True, slots=True)
class PriceTier:
    """Prices per million tokens for requests with more than `above` input tokens."""

    above: int
    input: NanoUsd
    cache_read: NanoUsd
    cache_write: NanoUsd
    output: NanoUsd


def tier_for(tiers: Sequence[PriceTier], input_tokens: int) -> PriceTier:
    """The tier that a request with so many input tokens is priced at; `tiers` ascend and begin at 0."""
    return next(tier for tier in reversed(tiers) if tier.above == 0 or input_tokens > tier.above)


def cost(tiers: Sequence[PriceTier], usage: Usage) -> NanoUsd:
    """What `usage` costs, rounded up once to the whole nano-dollar."""
    tier = tier_for(tiers, usage.total_input)
    exact = (
        usage.input * tier.input
        + usage.cache_read * tier.cache_read
        + usage.cache_write * tier.cache_write
        + usage.output * tier.output
    )
    return NanoUsd(-(-exact // TOKENS_PER_PRICE))
