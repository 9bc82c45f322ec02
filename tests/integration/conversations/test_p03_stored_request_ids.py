"""Promise 3: a repeated send with the same request_id never begins a second turn."""

from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.generation import GenerationState
from aichat_server.identity.domain.principals import Principal

from tests.fixtures.rows import connection, owner_rows
from tests.integration.conversations.turns import Begun, Turns, completed, failed, message_of, turn

AWAY = AichatError(Reason.STORAGE_UNAVAILABLE, "the database cannot be reached")


async def test_a_repeat_while_the_answer_is_written_finds_the_running_turn(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    request_id = uuid4()
    first = turn(principal, "first", request_id=request_id)
    await Turns(database).begin(first)
    before = await owner_rows(postgres, principal.org_id)
    repeat = await Turns(database).begin(turn(principal, "second", request_id=request_id))
    assert repeat.path == ()
    known = repeat.known
    assert known is not None
    ids = (first.generation_id, first.conversation_id, first.user_message_id, first.message_id)
    assert (repeat.generation_id, repeat.conversation_id, repeat.user_message_id, repeat.message_id) == ids
    assert (known.state, known.fingerprint, known.answer) == (GenerationState.RUNNING, b"first", None)
    assert (known.model, known.provider) == ("model-1", "vendor")
    assert await owner_rows(postgres, principal.org_id) == before


async def test_a_repeat_after_the_end_finds_the_answer(database: Database, principal: Principal) -> None:
    asked = turn(principal, request_id=uuid4())
    answer = await Turns(database).end(completed(principal, await Turns(database).begin(asked)))
    known = (await Turns(database).begin(asked)).known
    assert known is not None
    assert message_of(principal.org_id, known) == answer
    assert (known.state, known.error_reason) == (GenerationState.COMPLETE, None)


async def test_a_repeat_after_a_failure_finds_what_had_arrived_and_the_reason(
    database: Database, principal: Principal
) -> None:
    asked = turn(principal, request_id=uuid4())
    answer = await Turns(database).end(failed(principal, await Turns(database).begin(asked), "Half"))
    known = (await Turns(database).begin(asked)).known
    assert known is not None
    assert message_of(principal.org_id, known) == answer
    assert known.state is GenerationState.FAILED
    assert known.error_reason is Reason.PROVIDER_TIMEOUT
    assert known.error_message == "the vendor fell silent"


async def test_of_twenty_at_once_one_begins(postgres: Postgres, database: Database, principal: Principal) -> None:
    request_id = uuid4()
    turns = [turn(principal, request_id=request_id) for _ in range(20)]
    begun = await asyncio.gather(*(Turns(database).begin(one) for one in turns))
    assert len([one for one in begun if one.known is None]) == 1
    assert len({one.generation_id for one in begun}) == 1
    rows = await owner_rows(postgres, principal.org_id)
    assert {table: len(found) for table, found in rows.items()} == {
        "conversations": 1,
        "messages": 2,
        "generations": 1,
    }


async def test_a_refused_turn_releases_its_request_id_to_waiting_calls(
    database: Database, principal: Principal
) -> None:
    request_id = uuid4()
    refused = [turn(principal, conversation_id=uuid4(), request_id=request_id) for _ in range(8)]
    good = turn(principal, request_id=request_id)
    results: list[Begun | BaseException] = await asyncio.gather(
        *(Turns(database).begin(one) for one in [*refused, good]), return_exceptions=True
    )
    assert isinstance(results[-1], Begun)
    assert results[-1].known is None
    for result in results[:-1]:
        # Before the valid one it is refused; after it, it is a repeat.
        if isinstance(result, Begun):
            assert result.known is not None
            assert result.generation_id == good.generation_id
        else:
            assert isinstance(result, AichatError)
            assert result.reason is Reason.CONVERSATION_NOT_FOUND


async def test_ends_and_repeats_at_once_begin_at_most_one_new_turn(database: Database, principal: Principal) -> None:
    asked = turn(principal, request_id=uuid4())
    begun = await Turns(database).begin(asked)
    repeats = [turn(principal, request_id=asked.request_id) for _ in range(8)]
    ending = asyncio.create_task(Turns(database).end(failed(principal, begun)))
    results = await asyncio.gather(*(Turns(database).begin(one) for one in repeats))
    await ending
    fresh = [one for one in results if one.known is None]
    assert len(fresh) <= 1
    ids = {begun.generation_id, *(one.generation_id for one in fresh)}
    assert {one.generation_id for one in results} <= ids


async def test_organisations_do_not_share_request_ids(
    database: Database, principal: Principal, other: Principal
) -> None:
    request_id = uuid4()
    assert (await Turns(database).begin(turn(principal, request_id=request_id))).known is None
    assert (await Turns(database).begin(turn(other, request_id=request_id))).known is None


async def test_turns_without_a_request_id_are_all_new(database: Database, principal: Principal) -> None:
    begun = [await Turns(database).begin(turn(principal)) for _ in range(3)]
    assert [one.known for one in begun] == [None] * 3


@pytest.mark.parametrize("repeatable", [True, False])
async def test_a_repeated_begin_is_the_same(
    postgres: Postgres, database: Database, principal: Principal, *, repeatable: bool
) -> None:
    """As if the first reply were lost."""
    before = await Turns(database).begin(turn(principal, "Before"))
    await Turns(database).end(completed(principal, before, "An answer"))
    asked = turn(principal, conversation_id=before.conversation_id, request_id=uuid4() if repeatable else None)
    begun = await Turns(database).begin(asked)
    rows = await owner_rows(postgres, principal.org_id)
    assert len(begun.path) == 3
    assert await Turns(database).begin(asked) == begun
    assert await owner_rows(postgres, principal.org_id) == rows


async def test_a_turn_that_has_begun_is_abandoned_without_a_trace(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    before = await Turns(database).begin(turn(principal, "Before"))
    await Turns(database).end(completed(principal, before, "An answer"))
    rows = await owner_rows(postgres, principal.org_id)
    asked = turn(principal, conversation_id=before.conversation_id, request_id=uuid4())
    await Turns(database).begin(asked)
    for _ in range(2):
        await Turns(database).abandon(asked, AWAY)
    after = await owner_rows(postgres, principal.org_id)
    [generation] = [row for row in after.pop("generations") if row["generation_id"] == asked.generation_id]
    assert (generation["state"], generation["error_reason"]) == ("failed", "STORAGE_UNAVAILABLE")
    assert after == {table: found for table, found in rows.items() if table != "generations"}
    assert await leases_and_holds(postgres, principal) == 0
    again = turn(principal, conversation_id=before.conversation_id, request_id=asked.request_id)
    assert (await Turns(database).begin(again)).known is None


async def test_a_turn_that_is_abandoned_never_begins(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    """Even if its request arrives later, as a delayed one does."""
    asked = turn(principal, request_id=uuid4())
    await Turns(database).abandon(asked, AWAY)
    again = turn(principal, request_id=asked.request_id)
    assert (await Turns(database).begin(again)).known is None
    rows = await owner_rows(postgres, principal.org_id)
    late = (await Turns(database).begin(asked)).known
    assert late is not None
    assert (late.generation_id, late.state) == (asked.generation_id, GenerationState.FAILED)
    assert await owner_rows(postgres, principal.org_id) == rows
    assert await leases_and_holds(postgres, principal) == 2


async def test_a_turn_that_has_ended_is_not_abandoned(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    asked = turn(principal, request_id=uuid4())
    await Turns(database).end(completed(principal, await Turns(database).begin(asked)))
    rows = await owner_rows(postgres, principal.org_id)
    await Turns(database).abandon(asked, AWAY)
    assert await owner_rows(postgres, principal.org_id) == rows


async def leases_and_holds(postgres: Postgres, principal: Principal) -> int:
    query = """
        SELECT (SELECT count(*) FROM aichat.leases WHERE org_id = $1)
            + (SELECT count(*) FROM aichat.holds WHERE org_id = $1)
    """
    async with connection(postgres.owner_url) as owner:
        return int(await owner.fetchval(query, principal.org_id))
