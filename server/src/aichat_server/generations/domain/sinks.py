"""A sink says where an answer goes: it is stored as a message, for example, or nothing of it is kept."""

from __future__ import annotations

from typing import Protocol

from aichat_server.core.errors import AichatError
from aichat_server.generations.domain.generation import Beginning, Ending, Known, Orphan


class Sink(Protocol):
    """Ends the generations whose answers go there, by one round trip each. Any process may end any of them."""

    @property
    def name(self) -> str:
        """What the generation's row calls it, so that the process which ends a lost answer finds it."""
        ...

    async def end(self, ending: Ending, *, orphan: bool = False) -> Known | None:
        """Keeps the answer, settles the generation and books its usage; returns the generation as it is then.

        A generation that has ended is not changed: it is returned as it ended before. A generation that failed without
        an answer leaves only the record of its failure, and its request id may be used again.

        `orphan`: it ends only if its lease has expired. None if it has not. Raises STORAGE_UNAVAILABLE.
        """
        ...

    async def abandon(self, beginning: Beginning, failure: AichatError) -> None:
        """Ends a generation with `failure` that may have begun, or may begin later. Only the record of that is left,
        and its request id may be used again. A generation that has ended is not changed. Raises STORAGE_UNAVAILABLE.
        """
        ...

    async def shown(self, orphan: Orphan) -> tuple[str, ...]:
        """Returns the texts that the model was shown, as far as they are kept. Raises STORAGE_UNAVAILABLE."""
        ...

    def not_kept(self, known: Known) -> AichatError:
        """Returns what a caller is told whose answer was complete, and is not kept."""
        ...
