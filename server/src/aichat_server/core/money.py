"""Money is a whole number of nano-dollars (10⁻⁹ USD). Floats never touch it."""

from __future__ import annotations

from decimal import Decimal
from typing import NewType

NanoUsd = NewType("NanoUsd", int)

NANO_PER_USD = 1_000_000_000
NANO_PER_CENT = NANO_PER_USD // 100


def from_decimal(usd: Decimal) -> NanoUsd:
    """Converts US dollars to nano-dollars; raises ValueError if the result is not whole."""
    nano = usd * NANO_PER_USD
    if nano != nano.to_integral_value():
        raise ValueError(f"{usd} USD is not a whole number of nano-dollars")
    return NanoUsd(int(nano))


def to_decimal(nano: NanoUsd) -> Decimal:
    """Converts nano-dollars to US dollars, exactly."""
    return Decimal(nano).scaleb(-9).normalize() + 0
