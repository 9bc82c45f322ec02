"""What operators may want to see of generations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from uuid import UUID

from aichat_server.core.errors import Reason
from aichat_server.generations.domain.generation import GenerationState
from aichat_server.models.domain.usage import Usage


@dataclass(frozen=True, slots=True)
class GenerationEnded:
    """An answer that is not being written any more."""

    org_id: UUID
    generation_id: UUID
    provider: str
    """That answered."""
    model: str
    state: GenerationState
    reason: Reason | None
    """Why it failed, if it did."""
    began_at: float
    """Unix seconds."""
    seconds: float
    """From then to the vendor's last word."""
    first_delta_seconds: float | None
    """From then to the first text or reasoning; None if none came."""
    deltas: int
    """How many came from the vendor."""
    usage: Usage


class GenerationObserver:
    """Hears of generations; this one ignores them. Must be quick, and must not fail."""

    def watch_generations(self, running: Callable[[], int]) -> None:
        """`running` returns at any time how many generations this process runs; other threads may call it."""

    def quota_unchecked(self) -> None:
        """A generation began whose quotas could not be checked."""

    def generation_ended(self, ended: GenerationEnded) -> None:
        """An answer ended, in the context of the call that began it."""
