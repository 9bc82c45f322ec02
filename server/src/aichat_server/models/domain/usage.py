"""What a generation used, in the normal form that every vendor's report is brought to."""

from __future__ import annotations

from dataclasses import dataclass

TOKENS_PER_PRICE = 1_000_000


@dataclass(frozen=True, slots=True)
class Kind:
    """Something that usage is counted in."""

    name: str
    """The field of `Usage`, and what metrics call it."""
    column: str
    """What the database, the contract and CSV files call it."""
    price: str | None
    """The field of `PriceTier`; None for a part of another kind, which is charged for there."""
    is_input: bool = False
    """A part of the input, in tokens."""
    per: int = TOKENS_PER_PRICE
    """How many the price is for."""


KINDS = (
    Kind("input", "input_tokens", "input", is_input=True),
    Kind("cache_read", "cache_read_tokens", "cache_read", is_input=True),
    Kind("cache_write", "cache_write_tokens", "cache_write", is_input=True),
    Kind("cache_write_1h", "cache_write_1h_tokens", "cache_write_1h", is_input=True),
    Kind("output", "output_tokens", "output"),
    Kind("reasoning", "reasoning_tokens", None),
    Kind("web_searches", "web_searches", "web_search", per=1),
)
"""All kinds of usage, in the order in which invoices' proofs have them; a new one comes last.

Whatever tells of usage goes through these; what cannot (the fields of `Usage` and `PriceTier`, the contract, tables and
functions of the database) is held against them by tests/integration/usage/test_kinds.py.
"""

INPUT_KINDS = tuple(kind for kind in KINDS if kind.is_input)


@dataclass(frozen=True, slots=True)
class Usage:
    """Counts in disjoint buckets; `reasoning` alone is a part of `output`, shown apart."""

    input: int = 0
    """Input tokens that no cache served."""
    cache_read: int = 0
    """Input tokens read from the vendor's cache."""
    cache_write: int = 0
    """Input tokens written to the vendor's cache, for five minutes where the vendor tells how long."""
    output: int = 0
    """Output tokens, reasoning included."""
    reasoning: int = 0
    """The part of `output` spent on reasoning; 0 where the vendor does not say."""
    estimated: bool = False
    """True if the vendor never gave its final count."""
    cache_write_1h: int = 0
    """Input tokens written to the vendor's cache for an hour."""
    web_searches: int = 0
    """Searches that the vendor made for the answer: the tool unit that it charges for. Tokens that searches and other
    tools read are in the input."""
    percent: int = 100
    """What the vendor charges of its tokens' prices: more where a dearer region answered, 0 for what it lets off."""

    @property
    def total_input(self) -> int:
        """All input tokens, however they were served: what price tiers go by."""
        total: int = sum(getattr(self, kind.name) for kind in INPUT_KINDS)
        return total

    def by_column(self) -> dict[str, int]:
        """Returns each kind's count by the name of its column."""
        return {kind.column: getattr(self, kind.name) for kind in KINDS}


BYTES_PER_TOKEN = 4
"""A rule of thumb that all three vendors name for English text; for what a vendor never counted."""


def estimate_tokens(text: str) -> int:
    """About how many tokens `text` is, where nobody who knows has said."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)
