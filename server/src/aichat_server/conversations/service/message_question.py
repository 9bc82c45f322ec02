"""A message that is asked in a conversation: it begins a turn, and its answer is stored as a message."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from aichat_server.conversations.domain import Turn, TurnAnswer
from aichat_server.conversations.service.message_sink import MessageSink
from aichat_server.conversations.storage.turns import TurnStore
from aichat_server.core.ids import new_id
from aichat_server.files.service.files import OrganizationFiles
from aichat_server.generations.domain.generation import Beginning, Begun, GenerationKey
from aichat_server.generations.service.answers import Answers
from aichat_server.providers.domain.requests import PathMessage, Prompt


class MessageQuestion:
    """Asks the message of one turn."""

    def __init__(
        self, turns: TurnStore, sink: MessageSink, answers: Answers, files: OrganizationFiles, turn: Turn
    ) -> None:
        """`files`: those of the caller's organisation; `turn`: without its answers."""
        self.sink = sink
        self._turns = turns
        self._answers = answers
        self._files = files
        self._turn = turn
        self._path: tuple[PathMessage, ...] = ()

    async def begin(self, beginning: Beginning) -> Begun:
        """See Question. Raises CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND, QUOTA_EXCEEDED and QUOTA_CHECK_FAILED."""
        message_id, turn = new_id(), self._turn
        begun = await self._turns.begin(replace(turn, answers=(TurnAnswer(message_id, beginning),)))
        self._path = begun.path
        place = {
            "conversation_id": str(turn.conversation_id),
            "user_message_id": str(turn.user_message_id),
            "message_id": str(message_id),
        }
        return Begun(place, begun.known, begun.quota_failure)

    async def prompt(self) -> Prompt:
        """Returns the conversation up to the message, with what answers show that are still being written."""
        path = self._path
        if any(message.generation_id is not None for message in path):
            # At once, so that what cannot be reached is waited for once.
            path = tuple(await asyncio.gather(*map(self._shown, path)))
        return Prompt(path, self._files, cache_key=str(self._turn.conversation_id))

    async def _shown(self, message: PathMessage) -> PathMessage:
        if message.generation_id is None:
            return message
        parts = await self._answers.so_far(GenerationKey(self._files.org_id, message.generation_id))
        return replace(message, parts=parts, generation_id=None)
