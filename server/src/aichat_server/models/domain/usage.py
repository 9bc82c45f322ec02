"""The usage of a generation, in one form for all vendors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

TOKENS_PER_PRICE = 1_000_000


STANDARD_PERCENT = 100
"""What a vendor charges of its prices for tokens, unless it says otherwise."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A unit of usage."""

    name: str
    """The field of `Usage`, and the name in metrics."""
    column: str
    """The name in the database, the contract and CSV files."""
    price: str | None
    """The field of `PriceTier`; None for a part of another kind, which has the price."""
    is_input: bool = False
    """Whether it counts input tokens."""
    per: int = TOKENS_PER_PRICE
    """The number that the price is for."""


KINDS = (
    Kind("input", "input_tokens", "input", is_input=True),
    Kind("cache_read", "cache_read_tokens", "cache_read", is_input=True),
    Kind("cache_write", "cache_write_tokens", "cache_write", is_input=True),
    Kind("cache_write_1h", "cache_write_1h_tokens", "cache_write_1h", is_input=True),
    Kind("output", "output_tokens", "output"),
    Kind("reasoning", "reasoning_tokens", None),
    Kind("web_searches", "web_searches", "web_search", per=1),
)
"""All kinds of usage, in the order of invoices' proofs; a new one comes last.

All code that handles usage iterates over these. What cannot (the fields of `Usage` and `PriceTier`, the contract,
tables and functions of the database) is compared with them in tests/integration/usage/test_kinds.py.
"""

TOKEN_COLUMNS: Mapping[str, str] = MappingProxyType({kind.name: kind.column for kind in KINDS})
"""The columns of a usage, by its field."""

INPUT_KINDS = tuple(kind for kind in KINDS if kind.is_input)


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts that do not overlap, except that `reasoning` is a part of `output`."""

    input: int = 0
    """Input tokens that did not come from a cache."""
    cache_read: int = 0
    """Input tokens read from the vendor's cache."""
    cache_write: int = 0
    """Input tokens written to the vendor's cache; those for five minutes, if the vendor reports how long."""
    output: int = 0
    """Output tokens, reasoning included."""
    reasoning: int = 0
    """The part of `output` spent on reasoning; 0 if the vendor does not report it."""
    estimated: bool = False
    """True if the vendor never gave its final count."""
    cache_write_1h: int = 0
    """Input tokens written to the vendor's cache for an hour."""
    web_searches: int = 0
    """Searches that the vendor made for the answer and charges for.

    Tokens that searches and other tools read are in the input.
    """
    percent: int = STANDARD_PERCENT
    """The percentage of its tokens' prices that the vendor charges: more in a dearer region, 0 if it waives the charge.
    """

    @property
    def total_input(self) -> int:
        """All input tokens, cached or not: the price tiers depend on these."""
        total: int = sum(getattr(self, kind.name) for kind in INPUT_KINDS)
        return total

    def by_column(self) -> dict[str, int]:
        """Returns each kind's count by the name of its column."""
        return {kind.column: getattr(self, kind.name) for kind in KINDS}


BYTES_PER_TOKEN = 4
"""A rule of thumb that all three vendors give for English text; for what a vendor never counted."""


def estimate_tokens(text: str) -> int:
    """Estimates the number of tokens of `text`."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)
