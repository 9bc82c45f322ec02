"""Turns that end without an answer, and turns that end twice."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.content.parts import text_of
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import GenerationState
from aichat_server.identity.domain.principals import Principal

from tests.fixtures.rows import owner_rows
from tests.integration.conversations.turns import Turns, completed, exchange, failed, turn


async def test_a_first_turn_that_failed_without_a_word_leaves_only_its_record(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    asked = turn(principal, request_id=uuid4())
    begun = await Turns(database).begin(asked)
    assert await Turns(database).end(failed(principal, begun)) is None
    rows = await owner_rows(postgres, principal.org_id)
    assert list(rows) == ["generations"]
    record = rows["generations"][0]
    assert record["state"] == "failed"
    assert (record["error_reason"], record["error_message"]) == ("PROVIDER_TIMEOUT", "the vendor fell silent")
    assert record["ended_at"] >= record["started_at"]

    again = await Turns(database).begin(replace(turn(principal), request_id=asked.request_id))
    assert again.known is None


async def test_a_later_turn_that_failed_without_a_word_leaves_the_conversation_as_it_was(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    answer = await exchange(database, principal)
    before = await owner_rows(postgres, principal.org_id)
    begun = await Turns(database).begin(turn(principal, conversation_id=answer.conversation_id))
    await Turns(database).end(failed(principal, begun, state=GenerationState.INTERRUPTED))
    after = await owner_rows(postgres, principal.org_id)
    assert len(after.pop("generations")) == 2
    assert len(before.pop("generations")) == 1
    assert after == before


async def test_a_conversation_that_was_there_before_the_failed_turn_stays(
    database: Database, principal: Principal
) -> None:
    conversations = Conversations(database)
    empty = await conversations.create(principal)
    begun = await Turns(database).begin(turn(principal, conversation_id=empty.conversation_id))
    await Turns(database).end(failed(principal, begun))
    assert await conversations.get(principal, empty.conversation_id) == empty


async def test_what_another_turn_uses_outlives_the_failed_one(database: Database, principal: Principal) -> None:
    begun = await Turns(database).begin(turn(principal, "one"))
    place = {"conversation_id": begun.conversation_id, "parent_message_id": begun.user_message_id}
    branch = await Turns(database).begin(turn(principal, "two", **place))
    assert await Turns(database).end(failed(principal, begun)) is None
    await Turns(database).end(completed(principal, branch, "both"))
    page = await Conversations(database).list_messages(principal, begun.conversation_id, 10)
    assert [text_of(message.parts) for message in page.items] == ["one", "two", "both"]


async def test_ending_again_changes_nothing(postgres: Postgres, database: Database, principal: Principal) -> None:
    begun = await Turns(database).begin(turn(principal, request_id=uuid4()))
    first = await Turns(database).end(completed(principal, begun, "first"))
    before = await owner_rows(postgres, principal.org_id)
    assert await Turns(database).end(completed(principal, begun, "second")) == first
    assert await Turns(database).end(failed(principal, begun)) == first
    assert await owner_rows(postgres, principal.org_id) == before


async def test_a_turn_that_left_nothing_cannot_end_otherwise(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    begun = await Turns(database).begin(turn(principal))
    await Turns(database).end(failed(principal, begun))
    before = await owner_rows(postgres, principal.org_id)
    assert await Turns(database).end(completed(principal, begun, "too late")) is None
    assert await owner_rows(postgres, principal.org_id) == before


async def test_a_conversation_deleted_meanwhile_gets_no_answer_but_the_cost_stays(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    asked = turn(principal, request_id=uuid4())
    begun = await Turns(database).begin(asked)
    await Conversations(database).delete(principal, begun.conversation_id)
    assert await Turns(database).end(completed(principal, begun)) is None
    rows = await owner_rows(postgres, principal.org_id)
    assert list(rows) == ["generations"]
    assert (rows["generations"][0]["state"], rows["generations"][0]["cost_nano_usd"]) == ("complete", 123_456)

    repeated = await Turns(database).begin(asked)
    assert repeated.known is not None
    assert (repeated.known.state, repeated.known.answer) == (GenerationState.COMPLETE, None)


async def test_a_deleted_conversation_takes_no_turn(database: Database, principal: Principal) -> None:
    answer = await exchange(database, principal)
    await Conversations(database).delete(principal, answer.conversation_id)
    with pytest.raises(AichatError) as caught:
        await Turns(database).begin(turn(principal, conversation_id=answer.conversation_id))
    assert caught.value.reason is Reason.CONVERSATION_NOT_FOUND


async def test_another_organisation_cannot_end_a_turn(
    postgres: Postgres, database: Database, principal: Principal, other: Principal
) -> None:
    begun = await Turns(database).begin(turn(principal))
    before = await owner_rows(postgres, principal.org_id)
    assert await Turns(database).end(completed(other, begun)) is None
    assert await owner_rows(postgres, principal.org_id) == before
    assert await owner_rows(postgres, other.org_id) == {}
