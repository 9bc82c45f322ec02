"""Chat: a message goes in, the journal of its answer comes out."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from uuid import UUID

import msgspec

from aichat_server.domain.chat import ChatOptions
from aichat_server.domain.conversations import Part, text_of
from aichat_server.domain.errors import AichatError, Reason
from aichat_server.domain.events import TextDelta
from aichat_server.domain.identity import Principal
from aichat_server.domain.ids import new_id
from aichat_server.domain.models import Model
from aichat_server.domain.stream import Completed, Started
from aichat_server.domain.usage import estimate_tokens
from aichat_server.services.generation import GenerationPlan
from aichat_server.services.generations import Generations
from aichat_server.services.journal import Journal
from aichat_server.services.limits import RateLimits
from aichat_server.services.models import Models, output_limit
from aichat_server.services.upstream import Upstream
from aichat_server.storage.turns import EarlierTurn, GenerationState, TurnBegin, TurnStore

TITLE_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """A message to a model, as asked for; None where the caller left the choice."""

    model: str
    parts: tuple[Part, ...]
    request_id: UUID | None = None
    conversation_id: UUID | None = None
    parent_message_id: UUID | None = None
    options: ChatOptions = field(default_factory=ChatOptions)


class Chat:
    """Sends messages to models."""

    def __init__(
        self, models: Models, upstream: Upstream, turns: TurnStore, generations: Generations, limits: RateLimits
    ) -> None:
        self._models = models
        self._upstream = upstream
        self._turns = turns
        self._generations = generations
        self._limits = limits

    async def send(self, principal: Principal, message: ChatMessage) -> Journal:
        """Stores the message and begins the answer; returns the answer's journal.

        What can be refused is refused before anything is stored. A `request_id` that is known gets the answer that
        it began then, whether that is still being written or stored.
        """
        model = self._models.get(message.model)
        candidates = self._upstream.candidates(model, message.options)

        async def begin() -> Journal:
            turn = _turn(principal, message, model)
            stream = str(turn.request_id or turn.generation_id)
            admission = await self._limits.admit_turn(principal, stream, _most_tokens(message, model))
            generation = self._generations.open(turn.generation_id)
            try:
                begun = await self._turns.begin(turn)
            except BaseException:
                admission.end(tokens=0)
                self._generations.discard(turn.generation_id)
                raise
            if begun.earlier is not None:
                admission.end(tokens=0)
                self._generations.discard(turn.generation_id)
                return self._reattach(turn, begun.earlier)
            answer = self._upstream.answer(candidates, begun.path, message.options)
            self._generations.start(generation, GenerationPlan(principal, answer, begun, admission))
            return generation.journal

        # A caller that goes away now must not leave a turn that is begun and never answered.
        return await asyncio.shield(self._generations.spawn(begin()))

    def _reattach(self, turn: TurnBegin, earlier: EarlierTurn) -> Journal:
        if earlier.fingerprint != turn.fingerprint:
            metadata = {"request_id": str(turn.request_id)}
            text = "this request_id was used with other parameters; take a new one for a new message"
            raise AichatError(Reason.REQUEST_ID_REUSED, text, metadata=metadata)
        running = self._generations.find(earlier.generation_id)
        if running is not None:
            return running.journal
        if earlier.state is GenerationState.RUNNING:
            metadata = {"generation_id": str(earlier.generation_id)}
            text = "another replica is still writing this answer; send the same call again shortly"
            raise AichatError(Reason.GENERATION_IN_PROGRESS, text, metadata=metadata, retry_after=1.0)
        return _replay(self._generations.journal(), earlier, requested_model=turn.model)


def _most_tokens(message: ChatMessage, model: Model) -> int:
    """What the turn may use, as far as it is known yet; the conversation's history is counted at the turn's end."""
    asked = estimate_tokens(text_of(message.parts)) + estimate_tokens(message.options.system_prompt)
    return asked + output_limit(model, message.options)


def _turn(principal: Principal, message: ChatMessage, model: Model) -> TurnBegin:
    options = {key: value for key, value in asdict(message.options).items() if value not in (None, (), "")}
    return TurnBegin(
        org_id=principal.org_id,
        member_id=principal.member_id,
        key_id=principal.key_id,
        request_id=message.request_id,
        fingerprint=_fingerprint(message, options),
        conversation_id=message.conversation_id or new_id(),
        new_conversation=message.conversation_id is None,
        title=text_of(message.parts).strip().split("\n")[0][:TITLE_CHARACTERS],
        parent_message_id=message.parent_message_id,
        user_message_id=new_id(),
        message_id=new_id(),
        generation_id=new_id(),
        model=model.id,
        provider=model.provider,
        parts=message.parts,
        options=options,
    )


def _fingerprint(message: ChatMessage, options: Mapping[str, object]) -> bytes:
    """What must be the same when a request_id comes again: all of the request but the request_id."""
    ids = (message.conversation_id, message.parent_message_id)
    asked = (message.model, ids, [part.text for part in message.parts], options)
    return hashlib.sha256(msgspec.json.encode(asked)).digest()


def _replay(journal: Journal, turn: EarlierTurn, *, requested_model: str) -> Journal:
    """The journal of an answer that has ended, from what is stored of it."""
    ids = (turn.generation_id, turn.conversation_id, turn.user_message_id, turn.message_id)
    journal.append(Started(*ids, turn.model, turn.provider, requested_model))
    if turn.message is not None:
        journal.append(TextDelta(text_of(turn.message.parts)))
    if turn.state is GenerationState.COMPLETE and turn.message is not None:
        journal.append(Completed(turn.message))
        journal.close()
    elif turn.error_reason is not None:
        journal.close(AichatError(turn.error_reason, turn.error_message or "the answer broke off"))
    else:
        metadata = {"conversation_id": str(turn.conversation_id)}
        journal.close(AichatError(Reason.CONVERSATION_NOT_FOUND, "the conversation was deleted", metadata=metadata))
    return journal
