"""Turns of callers who bring their own history, and of which the new messages are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from uuid import UUID

from aichat_server.content.parts import Part, Role, text_of
from aichat_server.conversations.domain import EarlierMessage, Turn, TurnAnswer
from aichat_server.conversations.service.chat import TITLE_CHARACTERS
from aichat_server.conversations.service.message_sink import MessageSink
from aichat_server.conversations.storage.turns import TurnStore
from aichat_server.core.ids import new_id
from aichat_server.generations.domain.generation import Beginning, Begun
from aichat_server.models.domain.media import most_media_tokens
from aichat_server.providers.domain.requests import PathMessage, Prompt


@dataclass(frozen=True, slots=True)
class KeptPlace:
    """Where a turn is stored."""

    conversation_id: UUID | None = None
    """None: a new conversation."""
    parent_message_id: UUID | None = None
    """The message that the new ones follow. None: the conversation's last one."""


class KeptTurns:
    """Stores the turns of callers who bring their own history."""

    def __init__(self, turns: TurnStore) -> None:
        self._turns = turns
        self._sink = MessageSink(turns)

    def question(
        self,
        place: KeptPlace,
        prompt: Prompt,
        added: int,
        response: Mapping[str, object] | None = None,
    ) -> KeptQuestion:
        """Returns what shows `prompt` to a model, and stores its last `added` messages and the answer.

        The last message is the user's.
        """
        *earlier, last = prompt.messages[-added:]
        own = tuple(EarlierMessage(new_id(), one, most_media_tokens(one.parts)) for one in earlier)
        turn = Turn(
            conversation_id=place.conversation_id or new_id(),
            new_conversation=place.conversation_id is None,
            title=_title(prompt.messages),
            parent_message_id=place.parent_message_id,
            user_message_id=new_id(),
            parts=last.parts,
            path_bytes=0,
            answers=(),
            media_tokens=most_media_tokens(last.parts),
            earlier=own,
            response=response,
        )
        key = prompt.cache_key or str(turn.conversation_id)
        return KeptQuestion(self._turns, self._sink, turn, replace(prompt, cache_key=key))

    async def history(
        self, org_id: UUID, conversation_id: UUID, message_id: UUID, follows: Sequence[Part]
    ) -> tuple[PathMessage, ...]:
        """Returns a conversation up to a message. `follows`: what is to follow that.

        Raises CONVERSATION_NOT_FOUND, MESSAGE_NOT_FOUND and TOOL_RESULTS_MISMATCHED.
        """
        turn = Turn(
            conversation_id=conversation_id,
            new_conversation=False,
            title="",
            parent_message_id=message_id,
            user_message_id=message_id,
            parts=tuple(follows),
            path_bytes=None,
            answers=(),
        )
        return await self._turns.path_before(org_id, turn)


class KeptQuestion:
    """Asks what the caller sent, and has its new messages stored with the answer."""

    def __init__(self, turns: TurnStore, sink: MessageSink, turn: Turn, prompt: Prompt) -> None:
        self.sink = sink
        self._turns = turns
        self._turn = turn
        self._prompt = prompt

    async def begin(self, beginning: Beginning) -> Begun:
        """See Question. Raises CONVERSATION_NOT_FOUND and MESSAGE_NOT_FOUND."""
        message_id, turn = new_id(), self._turn
        begun = await self._turns.begin(replace(turn, answers=(TurnAnswer(message_id, beginning),)))
        place = {
            "conversation_id": str(turn.conversation_id),
            "user_message_id": str(turn.user_message_id),
            "message_id": str(message_id),
        }
        return Begun(place, begun.known, begun.quota_failure)

    async def prompt(self) -> Prompt:
        """See Question."""
        return self._prompt


def _title(shown: Sequence[PathMessage]) -> str:
    asked = next((text_of(one.parts) for one in shown if one.role is Role.USER), "")
    return asked.strip().split("\n")[0][:TITLE_CHARACTERS]
