"""A request for embeddings to a vendor, and its answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from aichat_server.models.domain.usage import Usage, estimate_tokens

Inputs = tuple[str, ...] | tuple[tuple[int, ...], ...]
"""Texts, or the tokens of each input."""

NUMBER_BYTES = 4
"""Of a number of a vector."""


class EmbeddingTask(StrEnum):
    """What vectors are for, in Gemini's words."""

    RETRIEVAL_DOCUMENT = "RETRIEVAL_DOCUMENT"
    RETRIEVAL_QUERY = "RETRIEVAL_QUERY"
    SEMANTIC_SIMILARITY = "SEMANTIC_SIMILARITY"
    CLASSIFICATION = "CLASSIFICATION"
    CLUSTERING = "CLUSTERING"
    CODE_RETRIEVAL_QUERY = "CODE_RETRIEVAL_QUERY"
    QUESTION_ANSWERING = "QUESTION_ANSWERING"
    FACT_VERIFICATION = "FACT_VERIFICATION"


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """A request to a vendor."""

    model: str
    """The vendor's own id of the model."""
    inputs: Inputs
    dimensions: int | None = None
    """None: the model's own."""
    task: EmbeddingTask | None = None

    def batches(self, size: int) -> Iterator[EmbeddingRequest]:
        """Yields requests for at most `size` inputs each, in order."""
        for start in range(0, len(self.inputs), size):
            yield replace(self, inputs=self.inputs[start : start + size])


@dataclass(frozen=True, slots=True)
class EmbeddingAnswer:
    """A vendor's answer."""

    vectors: tuple[bytes, ...]
    """One for each input, in order: its numbers as little-endian float32."""
    usage: Usage
    raw: Mapping[str, object]
    """The vendor's own usage object; empty if it sent none."""


def estimated_tokens(inputs: Inputs) -> int:
    """Returns about how many tokens the inputs have; exactly how many if they are tokens."""
    return sum(estimate_tokens(one) if isinstance(one, str) else len(one) for one in inputs)


def most_tokens(inputs: Inputs) -> int:
    """Returns more tokens than any vendor counts for the inputs: a token of text has at least one byte."""
    return sum(len(one.encode()) if isinstance(one, str) else len(one) for one in inputs) + _FRAME * len(inputs)


_FRAME = 8
"""More tokens than any vendor adds to an input."""
