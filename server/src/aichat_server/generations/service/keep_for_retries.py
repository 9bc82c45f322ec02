"""The sink of calls that may be repeated for a day: it keeps the answer for them, and nobody else reads it."""

from __future__ import annotations

from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import Ending, Known, Place
from aichat_server.generations.service.keep_nothing import KeepNothing


class KeepForRetries(KeepNothing):
    """Keeps answers until a job deletes them (retention)."""

    name = "retries"

    async def end(self, ending: Ending, *, orphan: bool = False) -> Known | None:
        """See Sink."""
        return await self._store.end(ending, orphan=orphan, keep=True)

    def not_kept(self, _place: Place, *, while_written: bool = False) -> AichatError:  # noqa: ARG002 — all the same
        """See Sink."""
        text = "this Idempotency-Key was used, and its answer has expired; take a new one for a new answer"
        return AichatError(Reason.GENERATION_NOT_RESUMABLE, text)
