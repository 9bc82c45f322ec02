"""What a generation used, in the normal form that every vendor's report is brought to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace


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


def usage_of(reported: Usage | None, *, ended: bool, asked: Iterable[str], text: str, reasoning: str) -> Usage:
    """What an answer used: the vendor's figures; what it never came to say is estimated from what had arrived.

    `reported`: its last report, which is final if it is no estimate, or if the model `ended` its answer. `asked`: all
    that the model was shown.
    Nothing at all if nothing had arrived.
    """
    if reported and (ended or not reported.estimated):
        return reported
    if not reported and not text and not reasoning:
        return Usage()
    reasoned = estimate_tokens(reasoning)
    output = estimate_tokens(text) + reasoned
    if reported is None:
        shown = sum(estimate_tokens(part) for part in asked)
        return Usage(input=shown, output=output, reasoning=reasoned, estimated=True)
    return replace(
        reported,
        output=max(reported.output, output),
        reasoning=max(reported.reasoning, reasoned),
        estimated=True,
    )
