"""Texts as vectors."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from aichat_sdk import _methods as methods
from aichat_sdk._checking import member, refusal
from aichat_sdk._proto.aichat import v1
from aichat_sdk._transport import Transport
from aichat_sdk.types import EmbeddingModel, Money, Usage

__all__ = ["Embeddings", "Task", "Vectors"]

Task = Literal[
    "retrieval_document",
    "retrieval_query",
    "semantic_similarity",
    "classification",
    "clustering",
    "code_retrieval_query",
    "question_answering",
    "fact_verification",
]
"""What vectors are for."""


@dataclass(frozen=True)
class Vectors:
    """The vectors of a call, and what they cost."""

    vectors: list[list[float]]
    """One for each input, in order."""
    model: str
    usage: Usage | None
    cost: Money | None
    """What was charged."""
    generation_id: str
    """The id that usage reports have for the call."""


class Embeddings:
    """`client.embeddings`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def create(
        self,
        *,
        model: str,
        texts: str | Sequence[str] = (),
        tokens: Sequence[Sequence[int]] = (),
        dimensions: int | None = None,
        task: Task | None = None,
        request_id: str | None = None,
        timeout: float | None = None,
    ) -> Vectors:
        """Returns a vector for each of `texts`, or for each list of `tokens` of the model: at most 2048.

        `dimensions`: the length of the vectors, None for the model's own. `task`: what they are for, if the model knows
        tasks. A call is retried under one `request_id`, and charged once.
        """
        if not isinstance(texts, Iterable):
            raise refusal("texts", f"must be a text or a list of texts, not {type(texts).__name__}")
        if not isinstance(tokens, list | tuple) or not all(isinstance(one, list | tuple) for one in tokens):
            raise refusal("tokens", "must be a list of lists, each of one input's tokens")
        request = v1.CreateEmbeddingsRequest(
            model=model,
            texts=[texts] if isinstance(texts, str) else list(texts),
            tokens=[v1.TokenIds(ids=list(one)) for one in tokens],
            dimensions=dimensions,
            task=v1.EmbeddingTask(0) if task is None else member(v1.EmbeddingTask, task, "task"),
            request_id=request_id or str(uuid.uuid4()),
        )
        told = await self._transport.call(methods.CREATE_EMBEDDINGS, request, timeout=timeout)
        vectors = [one.numbers() for one in told.embeddings]
        return Vectors(vectors, told.model, told.usage, told.cost, told.generation_id)

    async def list_models(self, *, timeout: float | None = None) -> list[EmbeddingModel]:
        """Returns every embedding model that the organisation may use, by vendor and id."""
        request = v1.ListEmbeddingModelsRequest()
        return (await self._transport.call(methods.LIST_EMBEDDING_MODELS, request, timeout=timeout)).models
