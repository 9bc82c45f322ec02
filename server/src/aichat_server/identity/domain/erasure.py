"""The outcome of erasing a member or an API key."""

from __future__ import annotations

from enum import StrEnum


class Erasure(StrEnum):
    """The outcome. But for the first, nothing was changed."""

    ERASED = "erased"
    MISSING = "missing"
    """There is nothing of the kind."""
    BUSY = "busy"
    """An answer is being written for it."""
    OWNER = "owner"
    """Nobody else owns the organisation."""
