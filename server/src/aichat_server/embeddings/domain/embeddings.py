"""What a caller asks for, what a model lacks of that, and the vectors."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aichat_server.core.errors import Reason, invalid_request
from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.models import EmbeddingAbilities, Model
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.embeddings import EmbeddingTask, Inputs
from aichat_server.providers.domain.lacks import Lack

KEPT_SECONDS = 60
MOST_INPUTS = 2048
MOST_NUMBERS = 4 * 1024 * 1024
"""Of all vectors of one call: 16 MiB."""


@dataclass(frozen=True, slots=True)
class AskedEmbeddings:
    """What a caller asks for."""

    model: str
    inputs: Inputs
    dimensions: int | None = None
    """None: the model's own."""
    task: EmbeddingTask | None = None
    request_id: UUID | None = None
    """None: the same call is another one each time."""
    kept_seconds: int = KEPT_SECONDS
    """How long the vectors are kept for the same request id."""
    field: str = "texts"
    """What the caller's API calls the inputs."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """The vectors."""

    vectors: tuple[bytes, ...]
    """One for each input, in order: its numbers as little-endian float32."""
    model: str
    generation_id: UUID
    usage: Usage
    cost: NanoUsd
    """What was charged."""


def lack_of(model: Model, asked: AskedEmbeddings) -> Lack | None:
    """Returns the first option that an embedding model does not have; None if it has all."""
    can = _abilities(model)
    options = (
        ("dimensions", asked.dimensions is None or can.custom_dimensions, "has vectors of one length"),
        ("task", asked.task is None or can.tasks, "knows no tasks"),
        ("tokens", isinstance(asked.inputs[0], str) or can.tokens, "reads texts, and no tokens"),
    )
    for name, has, text in options:
        if not has:
            return Lack(Reason.OPTION_UNSUPPORTED, name, f"{text}: leave {name} out")
    return None


def check(model: Model, asked: AskedEmbeddings) -> None:
    """Raises REQUEST_INVALID for inputs that are empty or too long, and for vectors that are too long or too many."""
    can = _abilities(model)
    if not 0 < len(asked.inputs) <= MOST_INPUTS:
        raise invalid_request(asked.field, f"must be 1 to {MOST_INPUTS}")
    for number, one in enumerate(asked.inputs):
        if not one:
            raise invalid_request(f"{asked.field}[{number}]", "must not be empty")
        if not isinstance(one, str) and len(one) > (can.max_input_tokens or len(one)):
            raise invalid_request(f"{asked.field}[{number}]", f"must have at most {can.max_input_tokens} tokens")
    length = asked.dimensions or can.dimensions
    if can.dimensions and length > can.dimensions:
        raise invalid_request("dimensions", f"must be at most {can.dimensions} for this model")
    if len(asked.inputs) * length > MOST_NUMBERS:
        raise invalid_request(
            asked.field, f"must be at most {MOST_NUMBERS // length} for vectors of {length} numbers: send more calls"
        )


def _abilities(model: Model) -> EmbeddingAbilities:
    if model.embedding is None:
        raise ValueError(f"{model.id} makes no embeddings")
    return model.embedding
