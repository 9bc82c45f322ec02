"""Stores how an answer ended: for as long as the process lives, since the answer exists nowhere else as a whole."""

from __future__ import annotations

import asyncio

import structlog

from aichat_server.conversations.domain import Message
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import GenerationKey
from aichat_server.generations.service import failures
from aichat_server.generations.storage.turns import TurnEnd, TurnStore

_log = structlog.get_logger()

_RETRY_SECONDS = 0.5


class Ending:
    """Stores one answer's end."""

    def __init__(self, turns: TurnStore) -> None:
        self._turns = turns
        self._give_up_at: float | None = None
        self._patience: asyncio.Timeout | None = None

    def give_up_at(self, moment: float) -> None:
        """The process will be gone then, by the event loop's clock: what is not stored by that moment is not."""
        self._give_up_at = moment
        if self._patience is not None:
            self._patience.reschedule(moment)

    async def store(self, end: TurnEnd) -> tuple[Message | None, AichatError | None]:
        """The answer as stored, None if there is none; and, where another end is stored than this one, its failure.

        A database that is away is waited for; STORAGE_UNAVAILABLE if it is away to the end of this process.
        """
        try:
            async with asyncio.timeout_at(self._give_up_at) as self._patience:
                return await self._store(end)
        except TimeoutError as error:
            raise failures.not_stored() from error
        finally:
            self._patience = None

    async def _store(self, end: TurnEnd) -> tuple[Message | None, AichatError | None]:
        waiting = False
        while True:
            try:
                message = await self._turns.end(end)
                return message, await self._other_end(end, message)
            except AichatError as error:
                if error.reason is not Reason.STORAGE_UNAVAILABLE:
                    raise
                if not waiting:
                    _log.warning("answer waits for the database", generation_id=str(end.generation_id))
                waiting = True
            await asyncio.sleep(_RETRY_SECONDS)

    async def _other_end(self, end: TurnEnd, message: Message | None) -> AichatError | None:
        """Why what is stored is not this end; None if it is."""
        if message is not None and message.state.value == end.state.value:
            return None
        if message is None and end.error_reason is not None:
            return None
        turn = await self._turns.find(GenerationKey(end.org_id, end.generation_id))
        if turn is not None and (failure := failures.stored_failure(turn)) is not None:
            # It was taken for lost, and ended, while this process was held up.
            return failure
        metadata = {"conversation_id": str(end.conversation_id)}
        text = "the conversation was deleted while the answer was written"
        return AichatError(Reason.CONVERSATION_NOT_FOUND, text, metadata=metadata)
