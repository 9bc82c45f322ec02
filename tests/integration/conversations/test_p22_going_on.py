"""Promise 22: a conversation can always continue.

A question follows the previous one, whatever happens to its answer.
"""

from __future__ import annotations

import json
from dataclasses import replace
from uuid import UUID

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.content.parts import text_of
from aichat_server.conversations.domain import MessageState
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.core.database.database import Database
from aichat_server.core.ids import new_id
from aichat_server.generations.domain.generation import Ending, GenerationState
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import StopReason

from tests.fixtures.rows import connection, owner_rows
from tests.integration.conversations.turns import Begun, Turns, completed, exchange, failed, turn

CANCELLED = GenerationState.CANCELLED


async def begin(database: Database, principal: Principal, text: str, first: UUID, parent: UUID | None = None) -> Begun:
    return await Turns(database).begin(turn(principal, text, conversation_id=first, parent_message_id=parent))


def texts(begun: Begun) -> list[str]:
    return [text_of(step.parts) for step in begun.path]


def unused(end: Ending) -> Ending:
    return replace(end, usage=Usage())


async def listed(database: Database, principal: Principal, conversation_id: UUID) -> list[str]:
    page = await Conversations(database).list_messages(principal, conversation_id, 100)
    return [text_of(message.parts) for message in page.items]


async def test_a_question_follows_an_answer_that_is_still_being_written(
    database: Database, principal: Principal
) -> None:
    first = (await exchange(database, principal, "one")).conversation_id
    second = await begin(database, principal, "two", first)
    third = await begin(database, principal, "three", first)
    assert texts(third) == ["one", "ONE", "two", "", "three"]
    assert [step.generation_id for step in third.path] == [None, None, None, second.generation_id, None]
    assert await listed(database, principal, first) == ["one", "ONE", "two", "three"]

    await Turns(database).end(completed(principal, third, "THREE"))
    await Turns(database).end(completed(principal, second, "TWO"))
    fourth = await begin(database, principal, "four", first)
    assert texts(fourth) == ["one", "ONE", "two", "TWO", "three", "THREE", "four"]
    assert await listed(database, principal, first) == texts(fourth)


async def test_an_answer_that_is_being_written_may_be_named_as_parent(database: Database, principal: Principal) -> None:
    first = await Turns(database).begin(turn(principal, "one"))
    second = await begin(database, principal, "two", first.conversation_id, first.message_id)
    await Turns(database).end(completed(principal, first, "ONE"))
    await Turns(database).end(completed(principal, second, "TWO"))
    third = await begin(database, principal, "three", first.conversation_id)
    assert texts(third) == ["one", "ONE", "two", "TWO", "three"]


async def test_the_conversation_continues_from_the_newest_question_not_the_last_end(
    database: Database, principal: Principal
) -> None:
    first = await exchange(database, principal, "one")
    old = await begin(database, principal, "old", first.conversation_id)
    new = await begin(database, principal, "new", first.conversation_id, first.message_id)
    await Turns(database).end(completed(principal, new, "NEW"))
    await Turns(database).end(completed(principal, old, "OLD"))
    assert texts(await begin(database, principal, "on", first.conversation_id)) == ["one", "ONE", "new", "NEW", "on"]


@pytest.mark.parametrize("text", ["Half an ans", ""])
async def test_a_question_that_was_stopped_and_charged_is_known_to_the_next(
    database: Database, principal: Principal, text: str
) -> None:
    first = await Turns(database).begin(turn(principal, "one"))
    answer = await Turns(database).end(failed(principal, first, text, CANCELLED))
    assert answer is not None
    assert (answer.state, text_of(answer.parts)) == (MessageState.CANCELLED, text)
    assert texts(await begin(database, principal, "two", first.conversation_id)) == ["one", text, "two"]


async def test_a_question_that_was_stopped_before_anything_came_leaves_nothing(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    first = await Turns(database).begin(turn(principal, "one"))
    assert await Turns(database).end(unused(failed(principal, first, state=CANCELLED))) is None
    assert list(await owner_rows(postgres, principal.org_id)) == ["generations"]


async def test_a_question_that_left_nothing_restores_the_head(database: Database, principal: Principal) -> None:
    conversations = Conversations(database)
    first = await exchange(database, principal, "one")
    other = await exchange(database, principal, "other", conversation_id=first.conversation_id)
    before = await conversations.get(principal, first.conversation_id)
    branch = await begin(database, principal, "branch", first.conversation_id, first.message_id)
    asked = await conversations.get(principal, first.conversation_id)
    assert asked.updated_at > before.updated_at
    assert asked.head_message_id == branch.message_id
    await Turns(database).end(failed(principal, branch))
    assert await conversations.get(principal, first.conversation_id) == before
    assert before.head_message_id == other.message_id


async def test_questions_that_left_nothing_may_end_in_any_order(database: Database, principal: Principal) -> None:
    first = await exchange(database, principal, "one")
    begun = [
        await begin(database, principal, "two", first.conversation_id),
        await begin(database, principal, "three", first.conversation_id, first.message_id),
        await begin(database, principal, "four", first.conversation_id, first.message_id),
    ]
    for lost in begun:
        await Turns(database).end(failed(principal, lost))
    assert (await Conversations(database).get(principal, first.conversation_id)).head_message_id == first.message_id
    assert texts(await begin(database, principal, "five", first.conversation_id)) == ["one", "ONE", "five"]


async def test_what_a_question_follows_stays_though_it_failed(database: Database, principal: Principal) -> None:
    first = (await exchange(database, principal, "one")).conversation_id
    second = await begin(database, principal, "two", first)
    third = await begin(database, principal, "three", first)
    assert await Turns(database).end(failed(principal, second)) is None
    await Turns(database).end(completed(principal, third, "THREE"))
    fourth = await begin(database, principal, "four", first)
    assert texts(fourth) == ["one", "ONE", "two", "", "three", "THREE", "four"]
    assert not any(step.generation_id for step in fourth.path)


async def test_a_whole_answer_may_be_without_a_word(database: Database, principal: Principal) -> None:
    begun = await Turns(database).begin(turn(principal, "one"))
    end = replace(completed(principal, begun, ""), stop_reason=StopReason.MAX_TOKENS)
    answer = await Turns(database).end(end)
    assert answer is not None
    assert (answer.parts, answer.state) == ((), MessageState.COMPLETE)
    conversation = await Conversations(database).get(principal, begun.conversation_id)
    assert conversation.head_message_id == answer.message_id
    assert await Turns(database).end(end) == answer


async def test_a_turn_that_the_version_before_has_begun_ends_as_it_did_then(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    first = await exchange(database, principal, "one")
    begun = await begin(database, principal, "two", first.conversation_id)
    async with connection(postgres.owner_url) as owner:
        await owner.execute("DELETE FROM aichat.messages WHERE message_id = $1", begun.message_id)
        query = "UPDATE aichat.conversations SET head_message_id = $2 WHERE conversation_id = $1"
        await owner.execute(query, first.conversation_id, first.message_id)
    await Turns(database).end(completed(principal, begun, "TWO"))
    assert texts(await begin(database, principal, "on", first.conversation_id)) == ["one", "ONE", "two", "TWO", "on"]


async def test_the_hold_counts_answers_that_are_followed_before_their_end(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    first = await Turns(database).begin(turn(principal, "one"))
    second = await begin(database, principal, "two", first.conversation_id)
    async with connection(postgres.owner_url) as owner:
        query = "SELECT generation_id, amount_nano_usd FROM aichat.holds WHERE org_id = $1"
        held = {row[0]: row[1] for row in await owner.fetch(query, principal.org_id)}
    assert held[second.generation_id] == 2 * held[first.generation_id]


async def test_of_a_long_path_only_the_newest_part_is_read(database: Database, principal: Principal) -> None:
    first = await exchange(database, principal, "x" * 1000)
    for text in ("two", "three"):
        await exchange(database, principal, text, conversation_id=first.conversation_id)
    asked = turn(principal, "four", conversation_id=first.conversation_id)
    begun = await Turns(database).begin(replace(asked, path_bytes=600))
    assert texts(begun) == ["X" * 1000, "two", "TWO", "three", "THREE", "four"]
    asked = turn(principal, "five", conversation_id=first.conversation_id)
    assert texts(await Turns(database).begin(replace(asked, path_bytes=1))) == ["", "five"]
    whole = await begin(database, principal, "six", first.conversation_id)
    assert texts(whole)[:3] == ["x" * 1000, "X" * 1000, "two"]


async def test_servers_of_the_version_before_begin_turns_as_they_did(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    first = await exchange(database, principal, "one")
    nobody = (None, None, b"", first.conversation_id, False, "two", None)
    ids = (new_id(), new_id(), new_id())
    rest = ("model-1", "vendor", '[{"type": "text", "text": "two"}]', "{}", 1, 0, None, 30.0, 300.0, False)
    async with connection(postgres.app_url) as app:
        places = ", ".join(f"${n}" for n in range(1, 23))
        query = f"SELECT path, earlier, unchecked FROM aichat.begin_turn({places})"  # noqa: S608
        begun = await app.fetchrow(query, principal.org_id, principal.member_id, *nobody, *ids, *rest)
    assert begun is not None
    assert [step["parts"][0]["text"] for step in json.loads(begun["path"])] == ["one", "ONE"]
    assert (await Conversations(database).get(principal, first.conversation_id)).head_message_id == ids[1]
