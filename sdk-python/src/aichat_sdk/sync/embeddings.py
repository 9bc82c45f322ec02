"""Texts as vectors. Generated from embeddings.py: do not edit."""

from __future__ import annotations

from collections.abc import Sequence

from aichat_sdk._portal import Portal
from aichat_sdk.embeddings import Embeddings as AsyncEmbeddings
from aichat_sdk.embeddings import Task, Vectors
from aichat_sdk.types import EmbeddingModel

__all__ = ["Embeddings"]


class Embeddings:
    """`client.embeddings`."""

    def __init__(self, inner: AsyncEmbeddings, portal: Portal) -> None:
        self._inner = inner
        self._portal = portal

    def create(
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
        return self._portal.run(
            self._inner.create(
                model=model,
                texts=texts,
                tokens=tokens,
                dimensions=dimensions,
                task=task,
                request_id=request_id,
                timeout=timeout,
            )
        )

    def list_models(self, *, timeout: float | None = None) -> list[EmbeddingModel]:
        """Returns every embedding model that the organisation may use, by vendor and id."""
        return self._portal.run(self._inner.list_models(timeout=timeout))
