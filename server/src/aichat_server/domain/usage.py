"""What a generation used, in the normal form that every vendor's report is brought to."""

from __future__ import annotations

from dataclasses import dataclass


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

    @property
    def total_input(self) -> int:
        """All input tokens, however they were served: what price tiers go by."""
        return self.input + self.cache_read + self.cache_write + self.cache_write_1h


BYTES_PER_TOKEN = 4
"""A rule of thumb that all three vendors name for English text; for what a vendor never counted."""


def estimate_tokens(text: str) -> int:
    """About how many tokens `text` is, where nobody who knows has said."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)
