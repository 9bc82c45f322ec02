"""Turns for tests: what a server would begin and end, each with one answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from aichat_server.content.parts import Part, Role, TextPart
from aichat_server.conversations.domain import Message, MessageState, Turn, TurnAnswer
from aichat_server.conversations.storage.turns import TurnStore
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.ids import new_id
from aichat_server.core.money import NanoUsd
from aichat_server.generations.domain.generation import Beginning, Claim, Ending, GenerationState, Known, kept_parts
from aichat_server.generations.domain.shown import content_of
from aichat_server.generations.domain.stored import HoldTerms
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.pricing import Hold
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import StopReason, TextDelta
from aichat_server.providers.domain.requests import PathMessage

USAGE = Usage(
    input=10, cache_read=20, cache_write=30, output=40, reasoning=5, cache_write_1h=50, web_searches=6
)  # fmt: skip
COST = NanoUsd(123_456)
HELD = NanoUsd(1_000_000)
PRICE_VERSION = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Asked:
    """A turn to begin, with one answer."""

    org_id: UUID
    member_id: UUID
    key_id: UUID | None
    request_id: UUID | None
    fingerprint: bytes
    conversation_id: UUID
    new_conversation: bool
    title: str
    parent_message_id: UUID | None
    user_message_id: UUID
    message_id: UUID
    generation_id: UUID
    model: str
    provider: str
    parts: tuple[Part, ...]
    options: Mapping[str, object]
    hold: Hold
    media_tokens: int = 0
    path_bytes: int | None = None

    @property
    def beginning(self) -> Beginning:
        """The answer's generation."""
        claim = Claim(self.request_id, self.fingerprint) if self.request_id is not None else None
        asker = (self.org_id, self.member_id, self.key_id)
        return Beginning(*asker, self.generation_id, self.model, self.provider, self.options, self.hold, claim)

    @property
    def turn(self) -> Turn:
        """The turn."""
        answers = (TurnAnswer(self.message_id, self.beginning),)
        place = (self.conversation_id, self.new_conversation, self.title, self.parent_message_id)
        return Turn(*place, self.user_message_id, self.parts, self.path_bytes, answers, self.media_tokens)


@dataclass(frozen=True, slots=True)
class Begun:
    """A turn that has begun, or what its request id began before."""

    generation_id: UUID
    conversation_id: UUID
    user_message_id: UUID
    message_id: UUID
    path: tuple[PathMessage, ...]
    known: Known | None = None
    quota_failure: str | None = None


class Turns:
    """Begins and ends turns as a server does."""

    def __init__(self, database: Database, terms: HoldTerms | None = None) -> None:
        self._store = TurnStore(database, terms or HoldTerms())

    async def begin(self, asked: Asked) -> Begun:
        """Begins the turn."""
        begun = await self._store.begin(asked.turn)
        known = begun.known
        if known is None:
            ids = (asked.generation_id, asked.conversation_id, asked.user_message_id, asked.message_id)
        else:
            place = (known.place[name] for name in ("conversation_id", "user_message_id", "message_id"))
            ids = (known.generation_id, *map(UUID, place))  # type: ignore[assignment]
        return Begun(*ids, begun.path, known, begun.quota_failure)

    async def end(self, ending: Ending, *, orphan: bool = False) -> Message | None:
        """Ends the answer; returns it as stored."""
        known = await self._store.end(ending, orphan=orphan)
        return message_of(ending.org_id, known) if known is not None else None

    async def abandon(self, asked: Asked, failure: AichatError) -> None:
        """Abandons the turn."""
        await self._store.abandon(asked.beginning, failure)


def message_of(org_id: UUID, known: Known | None) -> Message | None:
    """The message that an answer is stored as; None if there is none."""
    if known is None or known.answer is None:
        return None
    ids = (UUID(known.place[name]) for name in ("message_id", "conversation_id", "parent_message_id"))
    message_id, conversation_id, parent_message_id = ids
    return Message(
        message_id=message_id,
        conversation_id=conversation_id,
        parent_message_id=parent_message_id,
        org_id=org_id,
        member_id=UUID(known.place["member_id"]),
        role=Role.ASSISTANT,
        parts=known.answer.parts,
        state=MessageState(known.state.value),
        created_at=datetime.fromisoformat(known.place["created_at"]),
        answer=known.answer,
    )


def turn(
    principal: Principal,
    text: str = "Hello",
    *,
    conversation_id: UUID | None = None,
    parent_message_id: UUID | None = None,
    request_id: UUID | None = None,
) -> Asked:
    """Returns a turn of a new conversation, or of the given one."""
    return Asked(
        org_id=principal.org_id,
        member_id=principal.member_id,
        key_id=principal.key_id,
        request_id=request_id,
        fingerprint=text.encode(),
        conversation_id=conversation_id or new_id(),
        new_conversation=conversation_id is None,
        title=text,
        parent_message_id=parent_message_id,
        user_message_id=new_id(),
        message_id=new_id(),
        generation_id=new_id(),
        model="model-1",
        provider="vendor",
        parts=(TextPart(text),),
        options={"temperature": 0.5, "stop": ("END",)},
        hold=Hold(HELD, NanoUsd(0), None),
    )


def completed(principal: Principal, begun: Begun, text: str = "Hi") -> Ending:
    """Returns the end of a turn whose model wrote `text`."""
    return _ending(principal, begun, text, GenerationState.COMPLETE, StopReason.END_TURN, None)


def failed(
    principal: Principal, begun: Begun, text: str = "", state: GenerationState = GenerationState.FAILED
) -> Ending:
    """Returns the end of a turn that stopped after `text`."""
    return _ending(principal, begun, text, state, None, Reason.PROVIDER_TIMEOUT)


def _ending(
    principal: Principal,
    begun: Begun,
    text: str,
    state: GenerationState,
    stop_reason: StopReason | None,
    error_reason: Reason | None,
) -> Ending:
    return Ending(
        org_id=principal.org_id,
        member_id=principal.member_id,
        generation_id=begun.generation_id,
        model="model-1",
        provider="vendor",
        state=state,
        parts=kept_parts(state, content_of((TextDelta(text),))),
        stop_reason=stop_reason,
        usage=USAGE,
        raw_usage={"input_tokens": 60},
        cost=COST,
        price_version=PRICE_VERSION,
        error_reason=error_reason,
        error_message="the vendor fell silent" if error_reason else None,
    )


async def exchange(
    database: Database,
    principal: Principal,
    text: str = "Hello",
    *,
    conversation_id: UUID | None = None,
    parent_message_id: UUID | None = None,
) -> Message:
    """Runs a whole turn, whose answer is the text in capitals; returns the stored answer."""
    asked = turn(principal, text, conversation_id=conversation_id, parent_message_id=parent_message_id)
    turns = Turns(database)
    answer = await turns.end(completed(principal, await turns.begin(asked), text.upper()))
    assert answer is not None
    return answer
