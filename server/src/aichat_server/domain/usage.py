"""What a generation used, in the normal form that every vendor's report is brought to."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts in disjoint buckets; `reasoning` alone is a part of `output`, shown apart."""

    input: int = 0
    """Input tokens that no cache served."""
    cache_read: int = 0
    """Input tokens read from the vendor's cache."""
    cache_write: int = 0
    """Input tokens written to the vendor's cache."""
    output: int = 0
    """Output tokens, reasoning included."""
    reasoning: int = 0
    """The part of `output` spent on reasoning; 0 where the vendor does not say."""
    estimated: bool = False
    """True if the vendor never gave its final count."""

    @property
    def total_input(self) -> int:
        """All input tokens, however they were served: what price tiers go by."""
        return self.input + self.cache_read + self.cache_write


BYTES_PER_TOKEN = 4
"""A rule of thumb that all three vendors name for English text; for what a vendor never counted."""


def estimate_tokens(text: str) -> int:
    """About how many tokens `text` is, where nobody who knows has said."""
    return -(-len(text.encode()) // BYTES_PER_TOKEN)
