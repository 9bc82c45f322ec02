"""A turn: the message, the history before it, the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from uuid import uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.content.parts import Role, text_of
from aichat_server.conversations.domain import Message, MessageState
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import GenerationState
from aichat_server.identity.domain.principals import Principal
from aichat_server.providers.domain.events import StopReason

from tests.fixtures.rows import owner_rows
from tests.integration.conversations.turns import USAGE, Asked, Begun, Turns, completed, exchange, failed, turn


def _texts(begun: Begun) -> list[str]:
    return [text_of(step.parts) for step in begun.path]


async def _messages(database: Database, principal: Principal, answer: Message) -> list[Message]:
    page = await Conversations(database).list_messages(principal, answer.conversation_id, 100)
    return list(page.items)


async def test_a_first_turn_makes_the_conversation_and_stores_both_messages(
    database: Database, principal: Principal
) -> None:
    asked = turn(principal, "Why is the sky blue?")
    begun = await Turns(database).begin(asked)
    assert begun == Begun(
        asked.generation_id, asked.conversation_id, asked.user_message_id, asked.message_id, begun.path
    )
    assert [(step.role, text_of(step.parts)) for step in begun.path] == [(Role.USER, "Why is the sky blue?")]

    answer = await Turns(database).end(completed(principal, begun, "Rayleigh ☁️ “scattering”"))
    assert answer is not None
    assert answer.message_id == asked.message_id
    assert answer.parent_message_id == asked.user_message_id
    assert answer.state is MessageState.COMPLETE
    assert text_of(answer.parts) == "Rayleigh ☁️ “scattering”"
    assert answer.answer is not None
    assert answer.answer.stop_reason is StopReason.END_TURN
    assert (answer.answer.usage, answer.answer.cost, answer.answer.model) == (USAGE, 123_456, "model-1")

    conversation = await Conversations(database).get(principal, asked.conversation_id)
    assert (conversation.title, conversation.head_message_id) == ("Why is the sky blue?", answer.message_id)
    assert conversation.updated_at == answer.created_at > conversation.created_at
    question, stored = await _messages(database, principal, answer)
    assert stored == answer
    assert (question.role, question.parts, question.answer) == (Role.USER, asked.parts, None)


async def test_a_later_turn_follows_the_head(database: Database, principal: Principal) -> None:
    first = await exchange(database, principal, "one")
    second = await exchange(database, principal, "two", conversation_id=first.conversation_id)
    begun = await Turns(database).begin(turn(principal, "three", conversation_id=second.conversation_id))
    assert _texts(begun) == ["one", "ONE", "two", "TWO", "three"]
    assert [step.role for step in begun.path] == [Role.USER, Role.ASSISTANT] * 2 + [Role.USER]


async def test_an_earlier_parent_begins_a_branch(database: Database, principal: Principal) -> None:
    first = await exchange(database, principal, "one")
    old = await exchange(database, principal, "old", conversation_id=first.conversation_id)
    place = {"conversation_id": first.conversation_id, "parent_message_id": first.message_id}
    new = await exchange(database, principal, "new", **place)
    begun = await Turns(database).begin(turn(principal, "on", conversation_id=first.conversation_id))
    assert _texts(begun) == ["one", "ONE", "new", "NEW", "on"]
    old_branch = turn(principal, "on", conversation_id=first.conversation_id, parent_message_id=old.message_id)
    assert _texts(await Turns(database).begin(old_branch)) == ["one", "ONE", "old", "OLD", "on"]
    siblings = [m for m in await _messages(database, principal, new) if m.parent_message_id == first.message_id]
    assert [text_of(sibling.parts) for sibling in siblings] == ["old", "new"]


async def test_another_answer_to_the_same_question(database: Database, principal: Principal) -> None:
    first = await exchange(database, principal, "one")
    assert first.parent_message_id is not None
    again = turn(principal, "again", conversation_id=first.conversation_id, parent_message_id=first.parent_message_id)
    assert _texts(await Turns(database).begin(again)) == ["one", "again"]


async def test_a_conversation_without_a_title_gets_one_with_its_first_answer(
    database: Database, principal: Principal
) -> None:
    conversations = Conversations(database)
    empty = await conversations.create(principal)
    begun = await Turns(database).begin(turn(principal, "A title", conversation_id=empty.conversation_id))
    assert (await conversations.get(principal, empty.conversation_id)).title == ""
    await Turns(database).end(completed(principal, begun))
    assert (await conversations.get(principal, empty.conversation_id)).title == "A title"
    await exchange(database, principal, "another", conversation_id=empty.conversation_id)
    assert (await conversations.get(principal, empty.conversation_id)).title == "A title"


@pytest.mark.parametrize("state", [GenerationState.FAILED, GenerationState.INTERRUPTED])
async def test_a_partial_answer_is_kept_and_labelled(
    database: Database, principal: Principal, state: GenerationState
) -> None:
    begun = await Turns(database).begin(turn(principal, "one"))
    answer = await Turns(database).end(failed(principal, begun, "Half an ans", state))
    assert answer is not None
    assert answer.answer is not None
    assert (answer.state.value, answer.answer.stop_reason, answer.answer.usage) == (state.value, None, USAGE)
    begun = await Turns(database).begin(turn(principal, "two", conversation_id=begun.conversation_id))
    assert _texts(begun) == ["one", "Half an ans", "two"]


def _unknown_conversation(principal: Principal, _: Message) -> Asked:
    return turn(principal, conversation_id=uuid4(), request_id=uuid4())


def _foreign_conversation(principal: Principal, foreign: Message) -> Asked:
    return turn(principal, conversation_id=foreign.conversation_id, request_id=uuid4())


@pytest.mark.parametrize("make", [_unknown_conversation, _foreign_conversation])
async def test_an_unknown_and_a_foreign_conversation_are_refused_alike(
    postgres: Postgres,
    database: Database,
    principal: Principal,
    other: Principal,
    make: Callable[[Principal, Message], Asked],
) -> None:
    foreign = await exchange(database, other)
    asked = make(principal, foreign)
    with pytest.raises(AichatError) as caught:
        await Turns(database).begin(asked)
    assert caught.value.reason is Reason.CONVERSATION_NOT_FOUND
    assert caught.value.message == "no such conversation in this organisation"
    assert caught.value.metadata == {"conversation_id": str(asked.conversation_id)}
    assert await owner_rows(postgres, principal.org_id) == {}


@pytest.mark.parametrize("where", ["unknown", "foreign", "another conversation"])
async def test_a_parent_from_elsewhere_is_refused(
    postgres: Postgres, database: Database, principal: Principal, other: Principal, where: str
) -> None:
    here = await exchange(database, principal)
    elsewhere = await exchange(database, principal)
    foreign = await exchange(database, other)
    before = await owner_rows(postgres, principal.org_id)
    parents = {"unknown": uuid4(), "foreign": foreign.message_id, "another conversation": elsewhere.message_id}
    asked = turn(principal, conversation_id=here.conversation_id, parent_message_id=parents[where], request_id=uuid4())
    with pytest.raises(AichatError) as caught:
        await Turns(database).begin(asked)
    assert caught.value.reason is Reason.MESSAGE_NOT_FOUND
    assert caught.value.message == "no such message in this conversation"
    assert caught.value.metadata == {"message_id": str(parents[where])}
    assert await owner_rows(postgres, principal.org_id) == before


async def test_turns_of_one_conversation_at_once_all_find_their_place(database: Database, principal: Principal) -> None:
    first = await exchange(database, principal, "one")

    async def one_more(number: int) -> None:
        await exchange(database, principal, f"text {number}", conversation_id=first.conversation_id)

    async with asyncio.TaskGroup() as group:
        for number in range(10):
            group.create_task(one_more(number))
    messages = await _messages(database, principal, first)
    assert len(messages) == 22
    position = {message.message_id: index for index, message in enumerate(messages)}
    followers = [message for message in messages if message.parent_message_id]
    assert all(position[m.parent_message_id] < position[m.message_id] for m in followers if m.parent_message_id)
