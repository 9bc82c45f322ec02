"""A message that is asked in a conversation: it begins a turn, and its answer is stored as a message."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from uuid import UUID

from aichat_server.conversations.domain import Before, Turn, TurnAnswer
from aichat_server.conversations.service.history import History
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
        self,
        turns: TurnStore,
        sink: MessageSink,
        answers: Answers,
        files: OrganizationFiles,
        history: History,
        turn: Turn,
    ) -> None:
        """`files`: those of the caller's organisation; `turn`: without its answers."""
        self.sink = sink
        self._history = history
        self._turns = turns
        self._answers = answers
        self._files = files
        self._turn = turn
        self._path: tuple[PathMessage, ...] = ()
        self._before = Before()

    async def begin(self, beginning: Beginning) -> Begun:
        """See Question. Raises CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND, QUOTA_EXCEEDED and QUOTA_CHECK_FAILED."""
        message_id, turn = new_id(), self._turn
        begun = await self._turns.begin(replace(turn, answers=(TurnAnswer(message_id, beginning),)))
        self._path, self._before = begun.path, begun.before
        place = {
            "conversation_id": str(turn.conversation_id),
            "user_message_id": str(turn.user_message_id),
            "message_id": str(message_id),
        }
        return Begun(place, begun.known, begun.quota_failure)

    async def prompt(self) -> Prompt:
        """Returns the conversation up to the message, as far as the models have room for it.

        Raises CONTEXT_EXCEEDED.
        """
        path = await so_far(self._answers, self._files.org_id, self._path)
        messages, left_out = await self._history.shown(path, self._before)
        return Prompt(messages, self._files, cache_key=str(self._turn.conversation_id), left_out=left_out)


async def so_far(answers: Answers, org_id: UUID, path: tuple[PathMessage, ...]) -> tuple[PathMessage, ...]:
    """Returns the messages with what answers show that are still being written."""
    if all(message.generation_id is None for message in path):
        return path

    async def shown(message: PathMessage) -> PathMessage:
        if message.generation_id is None:
            return message
        parts = await answers.so_far(GenerationKey(org_id, message.generation_id))
        return replace(message, parts=parts, generation_id=None)

    # At once, so that what cannot be reached is waited for once.
    return tuple(await asyncio.gather(*map(shown, path)))
