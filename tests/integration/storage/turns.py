"""Turns for tests: what a server would begin and end."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from aichat_server.content.parts import TextPart
from aichat_server.conversations.domain import Message
from aichat_server.core.database.database import Database
from aichat_server.core.errors import Reason
from aichat_server.core.ids import new_id
from aichat_server.core.money import NanoUsd
from aichat_server.generations.domain.generation import GenerationState
from aichat_server.generations.storage.turns import TurnBegin, TurnBegun, TurnEnd
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.pricing import Hold
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import StopReason

USAGE = Usage(
    input=10, cache_read=20, cache_write=30, output=40, reasoning=5, cache_write_1h=50, web_searches=6
)  # fmt: skip
COST = NanoUsd(123_456)
HELD = NanoUsd(1_000_000)
PRICE_VERSION = datetime(2026, 1, 1, tzinfo=UTC)


def turn(
    principal: Principal,
    text: str = "Hello",
    *,
    conversation_id: UUID | None = None,
    parent_message_id: UUID | None = None,
    request_id: UUID | None = None,
) -> TurnBegin:
    """A turn of a new conversation, or of the given one."""
    return TurnBegin(
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


def completed(principal: Principal, begun: TurnBegun, text: str = "Hi") -> TurnEnd:
    """The turn's model said all of `text`."""
    return _end(principal, begun, text, GenerationState.COMPLETE, StopReason.END_TURN, None)


def failed(
    principal: Principal, begun: TurnBegun, text: str = "", state: GenerationState = GenerationState.FAILED
) -> TurnEnd:
    """The turn broke off after `text`."""
    return _end(principal, begun, text, state, None, Reason.PROVIDER_TIMEOUT)


def _end(
    principal: Principal,
    begun: TurnBegun,
    text: str,
    state: GenerationState,
    stop_reason: StopReason | None,
    error_reason: Reason | None,
) -> TurnEnd:
    return TurnEnd(
        org_id=principal.org_id,
        member_id=principal.member_id,
        generation_id=begun.generation_id,
        conversation_id=begun.conversation_id,
        user_message_id=begun.user_message_id,
        message_id=begun.message_id,
        model="model-1",
        provider="vendor",
        state=state,
        text=text,
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
    """A whole turn, answered with the text in capitals; the stored answer."""
    asked = turn(principal, text, conversation_id=conversation_id, parent_message_id=parent_message_id)
    begun = await database.turns.begin(asked)
    answer = await database.turns.end(completed(principal, begun, text.upper()))
    assert answer is not None
    return answer
