"""Chat: it takes a message, and returns the events of the answer."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from uuid import UUID

import msgspec

from aichat_server.content.parts import Part, Role, TextPart, text_of
from aichat_server.conversations.domain import Turn, check_repeated
from aichat_server.conversations.service.context_room import ContextRoom
from aichat_server.conversations.service.history import History
from aichat_server.conversations.service.message_question import MessageQuestion
from aichat_server.conversations.service.message_sink import MessageSink
from aichat_server.conversations.service.summaries import LongTurn, Summaries
from aichat_server.conversations.storage.turns import TurnStore
from aichat_server.core.ids import new_id
from aichat_server.files.service.files import Files
from aichat_server.generations.domain.generation import Claim
from aichat_server.generations.domain.options import stored_options
from aichat_server.generations.service.answers import Answers
from aichat_server.generations.service.journal import Events
from aichat_server.generations.service.launcher import Launcher
from aichat_server.generations.service.model_choice import ModelChoice
from aichat_server.generations.service.requests import GenerationRequest
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.media import most_media_tokens
from aichat_server.models.domain.models import Model
from aichat_server.providers.domain.forms import check_forms
from aichat_server.providers.domain.requests import ChatOptions, PathMessage, Prompt
from aichat_server.providers.service.counting import TokenCounter

TITLE_CHARACTERS = 80
MOST_BYTES_PER_TOKEN = 6
"""More than the bytes of a token in any long text: English has four and a half, most other scripts fewer."""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message to a model, as the caller sent it. None: the caller left the choice to the server."""

    model: str
    parts: tuple[Part, ...]
    request_id: UUID | None = None
    conversation_id: UUID | None = None
    parent_message_id: UUID | None = None
    options: ChatOptions = field(default_factory=ChatOptions)
    cancel_on_disconnect: bool = False


class Chat:
    """Sends messages to models."""

    def __init__(
        self,
        choice: ModelChoice,
        turns: TurnStore,
        launcher: Launcher,
        answers: Answers,
        files: Files,
        counter: TokenCounter,
        summaries: Summaries,
    ) -> None:
        self._choice = choice
        self._counter = counter
        self._summaries = summaries
        self._turns = turns
        self._sink = MessageSink(turns)
        self._launcher = launcher
        self._answers = answers
        self._files = files

    def list_models(self, principal: Principal) -> list[Model]:
        """Returns the models that the caller may ask."""
        return self._choice.offered(principal)

    async def send(self, principal: Principal, message: ChatMessage) -> Events:
        """Stores the message and begins the answer; returns the answer's events.

        What can be refused is refused before anything is stored. A `request_id` that is known gets the answer that
        it began then, whether that is still being written or has ended.
        """
        schema = check_forms(message.options)
        check_repeated(message.parts)
        able = partial(self._choice.candidates, principal, message.model, message.options)
        candidates = able(message.parts)
        parts = await self._files.resolve(principal, message.parts, check=able)
        if parts is not message.parts:
            # Their bytes tell more about files. From here on nothing holds them any longer.
            candidates, message = able(parts), replace(message, parts=parts)
        turn, asked, files = turn_of(message, candidates), _asked(message), self._files.of(principal.org_id)
        room = ContextRoom(self._counter, candidates, message.options, Prompt((), files))
        await room.check((asked,))
        long_turn = LongTurn(principal, candidates[0], turn.user_message_id, message.request_id)
        history = History(room, message.options.long_history, self._summaries, long_turn)
        request = GenerationRequest(
            principal=principal,
            candidates=candidates,
            question=MessageQuestion(self._turns, self._sink, self._answers, files, history, turn),
            asked=(asked,),
            has_history=message.conversation_id is not None,
            options=message.options,
            claim=Claim(message.request_id, _fingerprint(message)) if message.request_id is not None else None,
            cancel_on_disconnect=message.cancel_on_disconnect,
            schema=schema,
        )
        return await self._launcher.launch(request)


def _asked(message: ChatMessage) -> PathMessage:
    return PathMessage(Role.USER, message.parts)


def turn_of(message: ChatMessage, candidates: Sequence[Model]) -> Turn:
    """Returns the turn that the message begins, without its answers."""
    return Turn(
        conversation_id=message.conversation_id or new_id(),
        new_conversation=message.conversation_id is None,
        title=text_of(message.parts).strip().split("\n")[0][:TITLE_CHARACTERS],
        parent_message_id=message.parent_message_id,
        user_message_id=new_id(),
        parts=message.parts,
        media_tokens=most_media_tokens(message.parts),
        path_bytes=_path_bytes(candidates),
        answers=(),
    )


def _path_bytes(candidates: Sequence[Model]) -> int | None:
    """Returns more than any of the models takes of a conversation; None if the limit of one is not known."""
    windows = [candidate.context_window for candidate in candidates]
    return max(windows) * MOST_BYTES_PER_TOKEN if all(windows) else None


def _fingerprint(message: ChatMessage) -> bytes:
    """Returns a hash of the whole request but its request_id. It must be the same when the request_id comes again."""
    ids = (message.conversation_id, message.parent_message_id)
    options = stored_options(message.options, cancel_on_disconnect=message.cancel_on_disconnect)
    asked = (message.model, ids, _told(message.parts), options)
    return hashlib.sha256(msgspec.json.encode(asked)).digest()


def _told(parts: tuple[Part, ...]) -> list[object]:
    """Text stands for its part, as servers of the version before have it."""
    return [part.text if isinstance(part, TextPart) else part for part in parts]
