"""The vendors' embedding models, by their model pages (November 2026)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aichat_server.models.domain.models import EmbeddingAbilities

_GEMINI_BATCH = 100

EMBEDDING_MODELS: Mapping[str, EmbeddingAbilities] = MappingProxyType(
    {
        "text-embedding-3-small": EmbeddingAbilities(1536, custom_dimensions=True, tokens=True, max_input_tokens=8192),
        "text-embedding-3-large": EmbeddingAbilities(3072, custom_dimensions=True, tokens=True, max_input_tokens=8192),
        "text-embedding-ada-002": EmbeddingAbilities(1536, tokens=True, max_input_tokens=8192),
        "gemini-embedding-001": EmbeddingAbilities(
            3072, custom_dimensions=True, tasks=True, max_input_tokens=2048, batch=_GEMINI_BATCH
        ),
        # Its tasks are words of the text itself.
        "gemini-embedding-2": EmbeddingAbilities(
            3072, custom_dimensions=True, max_input_tokens=8192, batch=_GEMINI_BATCH
        ),
    }
)
"""By the vendors' own ids."""
