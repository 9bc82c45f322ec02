"""Conversations: stored, listed by page, renamed, deleted."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from uuid import UUID, uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.content.parts import text_of
from aichat_server.conversations.domain import Message
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.conversations.storage.conversations import ConversationRepository
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.domain.principals import Principal

from tests.fixtures.rows import owner_rows
from tests.integration.conversations.turns import Turns, exchange, turn


@pytest.fixture
def conversations(database: Database) -> Conversations:
    return Conversations(database)


async def test_a_new_conversation_is_kept(conversations: Conversations, principal: Principal) -> None:
    made = await conversations.create(principal, "Plans ✈️")
    assert (made.org_id, made.member_id, made.title) == (principal.org_id, principal.member_id, "Plans ✈️")
    assert (made.head_message_id, made.created_at) == (None, made.updated_at)
    assert await conversations.get(principal, made.conversation_id) == made


async def test_a_colleague_sees_it_too(database: Database, conversations: Conversations, principal: Principal) -> None:
    made = await conversations.create(principal)
    colleague = Principal(principal.org_id, uuid4())
    assert await conversations.get(colleague, made.conversation_id) == made


async def test_a_title_is_changed_once(conversations: Conversations, principal: Principal) -> None:
    made = await conversations.create(principal, "Old")
    changed = await conversations.update(principal, made.conversation_id, "New")
    assert (changed.title, changed.created_at) == ("New", made.created_at)
    assert changed.updated_at > made.updated_at
    assert await conversations.update(principal, made.conversation_id, "New") == changed
    assert await conversations.update(principal, made.conversation_id, None) == changed
    assert (await conversations.update(principal, made.conversation_id, "")).title == ""


async def test_deleting_removes_the_messages_and_keeps_the_ledger(
    postgres: Postgres, database: Database, conversations: Conversations, principal: Principal
) -> None:
    answer = await exchange(database, principal)
    for text in ("two", "three"):
        await exchange(database, principal, text, conversation_id=answer.conversation_id)
    await conversations.delete(principal, answer.conversation_id)
    rows = await owner_rows(postgres, principal.org_id)
    assert list(rows) == ["generations"]
    assert len(rows["generations"]) == 3


Call = Callable[[Conversations, Principal, UUID], Awaitable[object]]
CALLS: dict[str, Call] = {
    "get": lambda conversations, principal, id_: conversations.get(principal, id_),
    "update": lambda conversations, principal, id_: conversations.update(principal, id_, "Mine now"),
    "update nothing": lambda conversations, principal, id_: conversations.update(principal, id_, None),
    "delete": lambda conversations, principal, id_: conversations.delete(principal, id_),
    "list messages": lambda conversations, principal, id_: conversations.list_messages(principal, id_, 10),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_an_unknown_and_a_foreign_conversation_get_the_same_error(
    conversations: Conversations, principal: Principal, other: Principal, call: Call
) -> None:
    foreign = await conversations.create(other, "Theirs")
    messages = set()
    for conversation_id in (uuid4(), foreign.conversation_id):
        with pytest.raises(AichatError) as caught:
            await call(conversations, principal, conversation_id)
        assert caught.value.reason is Reason.CONVERSATION_NOT_FOUND
        assert caught.value.metadata == {"conversation_id": str(conversation_id)}
        messages.add(caught.value.message)
    assert len(messages) == 1
    assert await conversations.get(other, foreign.conversation_id) == foreign


async def test_conversations_are_listed_the_last_changed_first(
    database: Database, conversations: Conversations, principal: Principal
) -> None:
    made = [await conversations.create(principal, str(number)) for number in range(3)]
    await exchange(database, principal, conversation_id=made[0].conversation_id)
    await conversations.update(principal, made[1].conversation_id, "1, renamed")
    page = await conversations.list(principal, 10)
    assert [conversation.title for conversation in page.items] == ["1, renamed", "0", "2"]
    assert page.next is None


async def test_pages_of_conversations_neither_repeat_nor_lose_when_new_ones_come(
    conversations: Conversations, principal: Principal
) -> None:
    made = [await conversations.create(principal, str(number)) for number in range(7)]
    seen, key = [], None
    while True:
        page = await conversations.list(principal, 3, key)
        seen += [conversation.title for conversation in page.items]
        key = page.next
        if key is None:
            break
        await conversations.create(principal, "meanwhile")
        await conversations.update(principal, made[-1].conversation_id, f"{len(seen)}, seen before")
    assert seen == ["6", "5", "4", "3", "2", "1", "0"]


@pytest.mark.parametrize(("count", "sizes"), [(0, [0]), (2, [2]), (4, [2, 2]), (5, [2, 2, 1])])
async def test_the_last_page_says_so(
    conversations: Conversations, principal: Principal, count: int, sizes: list[int]
) -> None:
    for number in range(count):
        await conversations.create(principal, str(number))
    found, key = [], None
    for _ in sizes:
        page = await conversations.list(principal, 2, key)
        found.append(len(page.items))
        key = page.next
    assert (found, key) == (sizes, None)


async def test_conversations_changed_at_the_same_time_are_all_listed(
    database: Database, conversations: Conversations, principal: Principal
) -> None:
    async with database.session(principal.org_id, principal.actor) as session:
        made = {
            (await ConversationRepository(session).create(uuid4(), principal.member_id, "")).updated_at
            for _ in range(5)
        }
    assert len(made) == 1
    seen, key = [], None
    for _ in range(3):
        page = await conversations.list(principal, 2, key)
        seen += [conversation.conversation_id for conversation in page.items]
        key = page.next
    assert len(set(seen)) == len(seen) == 5


async def test_pages_of_messages_include_new_messages(
    database: Database, conversations: Conversations, principal: Principal
) -> None:
    answer = await exchange(database, principal, "one")
    place = {"conversation_id": answer.conversation_id}
    await exchange(database, principal, "two", **place)
    seen: list[Message] = []
    page = await conversations.list_messages(principal, answer.conversation_id, 3)
    seen += page.items
    await exchange(database, principal, "branch", **place, parent_message_id=answer.message_id)
    await Turns(database).begin(turn(principal, "unanswered", **place))
    while page.next is not None:
        page = await conversations.list_messages(principal, answer.conversation_id, 3, page.next)
        seen += page.items
    texts = [text_of(message.parts) for message in seen]
    assert texts == ["one", "ONE", "two", "TWO", "branch", "BRANCH", "unanswered"]
