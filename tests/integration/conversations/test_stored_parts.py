"""Messages hold parts of every kind. Servers of the version before read their text."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.content.parts import (
    Part,
    ReasoningPart,
    Role,
    StoredFile,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    files_of,
)
from aichat_server.conversations.domain import Message
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.conversations.storage.messages import MAX_PAGE_BYTES
from aichat_server.core.actor import Actor
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.files.storage.files import FileRepository
from aichat_server.generations.domain.generation import Ending, GenerationState
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.pricing import Hold
from aichat_server.providers.domain.events import StopReason

from tests.fixtures.parts import ANSWERED, ASKED, IMAGE
from tests.fixtures.rows import connection, owner_rows
from tests.integration.conversations.turns import HELD, Asked, Begun, Turns, completed, exchange, failed, turn

CALLS: tuple[Part, ...] = (ToolCallPart("a", "add", "{}"), ToolCallPart("b", "add", "{}"))


def result(call_id: str) -> ToolResultPart:
    return ToolResultPart(call_id, (TextPart(f"result of {call_id}"),))


def calling(principal: Principal, begun: Begun, parts: tuple[Part, ...] = CALLS) -> Ending:
    return replace(completed(principal, begun), parts=parts, stop_reason=StopReason.TOOL_USE)


async def called(database: Database, principal: Principal) -> Message:
    """Returns an answer that waits for the results of two calls."""
    answer = await Turns(database).end(calling(principal, await Turns(database).begin(turn(principal, "one"))))
    assert answer is not None
    return answer


def following(principal: Principal, before: Message, parts: Sequence[Part], **changes: object) -> Asked:
    place = {"conversation_id": before.conversation_id, "parent_message_id": before.message_id}
    return replace(turn(principal, "", **place), parts=tuple(parts), **changes)  # type: ignore[arg-type]


async def stored(database: Database, principal: Principal, *files: StoredFile) -> None:
    async with database.session(principal.org_id, Actor.member(principal.member_id)) as session:
        for file in files:
            await FileRepository(session).add(file, uuid4())


@asynccontextmanager
async def version_before(
    postgres: Postgres, principal: Principal
) -> AsyncGenerator[asyncpg.Connection[asyncpg.Record], None]:
    """What a server of the version before does in the database."""
    async with connection(postgres.app_url) as app, app.transaction():
        await app.execute("SELECT set_config('aichat.org_id', $1, true)", str(principal.org_id))
        yield app


async def test_parts_of_every_kind_are_stored_listed_and_read_back(database: Database, principal: Principal) -> None:
    await stored(database, principal, *files_of(ASKED[:-1]))
    asked = replace(turn(principal, "one"), parts=ASKED[:-1])
    begun = await Turns(database).begin(asked)
    answer = await Turns(database).end(calling(principal, begun, ANSWERED))
    assert answer is not None
    assert answer.answer is not None
    assert (answer.parts, answer.answer.stop_reason) == (ANSWERED, StopReason.TOOL_USE)
    page = await Conversations(database).list_messages(principal, begun.conversation_id, 10)
    assert (page.items[0].parts, page.items[1]) == (ASKED[:-1], answer)
    results = tuple(result(part.call_id) for part in ANSWERED if isinstance(part, ToolCallPart))
    path = (await Turns(database).begin(following(principal, answer, results))).path
    assert [(step.role, step.parts) for step in path] == [
        (Role.USER, ASKED[:-1]),
        (Role.ASSISTANT, ANSWERED),
        (Role.USER, results),
    ]


async def test_a_page_counts_all_parts(database: Database, principal: Principal) -> None:
    begun = await Turns(database).begin(turn(principal, "one"))
    thought = (ReasoningPart("x" * (MAX_PAGE_BYTES - 10_000)), TextPart("Hi"))
    await Turns(database).end(replace(completed(principal, begun), parts=thought))
    await exchange(database, principal, "y" * 20_000, conversation_id=begun.conversation_id)
    page = await Conversations(database).list_messages(principal, begun.conversation_id, 10)
    assert len(page.items) == 2
    assert page.next is not None


async def test_servers_of_the_version_before_read_the_text(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    begun = await Turns(database).begin(turn(principal, "one"))
    said = (ReasoningPart("Hm."), TextPart("Let me "), TextPart("see."), *CALLS)
    await Turns(database).end(calling(principal, begun, said))
    generation = {"org_id": str(principal.org_id), "generation_id": str(begun.generation_id)}
    later = replace(turn(principal, "on", conversation_id=begun.conversation_id))
    text = [{"text": "Let me see.", "type": "text"}]
    async with version_before(postgres, principal) as old:
        known = json.loads(await old.fetchval("SELECT aichat.find_generation($1)", json.dumps(generation)))
        assert (known["parts"], known["stop_reason"]) == (text, "other")
        written = "SELECT parts FROM aichat.messages WHERE generation_id = $1"
        assert json.loads(await old.fetchval(written, begun.generation_id)) == text
        stopped = "SELECT stop_reason FROM aichat.generations WHERE generation_id = $1"
        assert await old.fetchval(stopped, begun.generation_id) == "other"
        asked = {
            "conversation_id": str(later.conversation_id), "new_conversation": False, "title": "", "path_bytes": None,
            "user_message_id": str(later.user_message_id), "parts": [{"type": "text", "text": "on"}],
            "lease_seconds": 30, "hold_seconds": 300, "fail_closed": False,
            "answers": [{"message_id": str(later.message_id), "generation": {
                **generation, "generation_id": str(later.generation_id), "member_id": str(principal.member_id),
                "model": "model-1", "provider": "vendor", "options": {}, "sink": "message",
                "hold": {"known": 1, "history": 0, "most": None},
            }}],
        }  # fmt: skip
        path = json.loads(await old.fetchval("SELECT path FROM aichat.begin_turn($1)", json.dumps(asked)))
        # It sends no results, since it knows of no calls.
        assert [step["parts"] for step in path] == [[{"text": "one", "type": "text"}], text]
        on = {**generation, "generation_id": str(later.generation_id)}
        path = json.loads(await old.fetchval("SELECT aichat.turn_path($1)", json.dumps(on)))
        assert [step["parts"][0]["text"] for step in path] == ["one", "Let me see.", "on"]


MISMATCHES: list[tuple[list[Part], dict[str, str]]] = [
    ([TextPart("Never mind")], {"missing": "a,b"}),
    ([result("b")], {"missing": "a"}),
    ([result("a"), result("b"), result("c"), result("d")], {"unknown": "c,d"}),
    ([result("a"), result("c"), TextPart("On")], {"missing": "b", "unknown": "c"}),
]


@pytest.mark.parametrize(("parts", "metadata"), MISMATCHES)
async def test_p07_results_that_do_not_match_the_calls_are_refused_and_leave_nothing(
    postgres: Postgres, database: Database, principal: Principal, parts: list[Part], metadata: dict[str, str]
) -> None:
    answer = await called(database, principal)
    before = await owner_rows(postgres, principal.org_id)
    with pytest.raises(AichatError) as caught:
        await Turns(database).begin(following(principal, answer, parts, request_id=uuid4()))
    assert (caught.value.reason, caught.value.metadata) == (Reason.TOOL_RESULTS_MISMATCHED, metadata)
    assert await owner_rows(postgres, principal.org_id) == before


async def test_the_ids_that_an_error_names_are_bounded(database: Database, principal: Principal) -> None:
    answer = await called(database, principal)
    with pytest.raises(AichatError) as caught:
        await Turns(database).begin(following(principal, answer, [result(f"{n}" * 200) for n in range(10, 74)]))
    assert all(len(ids) <= 500 for ids in caught.value.metadata.values())


async def test_only_an_answer_that_waits_for_results_takes_any(database: Database, principal: Principal) -> None:
    answered = await exchange(database, principal)
    running = await Turns(database).begin(turn(principal, conversation_id=answered.conversation_id))
    broken = await Turns(database).begin(turn(principal))
    cut = replace(failed(principal, broken, state=GenerationState.INTERRUPTED), parts=CALLS)
    interrupted = await Turns(database).end(cut)
    assert interrupted is not None
    assert interrupted.parts == CALLS
    at_running = replace(answered, message_id=running.message_id)
    first = replace(turn(principal), parts=(result("a"),))
    for asked in (
        first,
        following(principal, answered, [result("a")]),
        following(principal, at_running, [result("a")]),
        following(principal, interrupted, [result("a")]),
    ):
        with pytest.raises(AichatError) as caught:
            await Turns(database).begin(asked)
        assert caught.value.metadata == {"unknown": "a"}
    # The calls of an answer that broke off are never answered.
    path = (await Turns(database).begin(following(principal, interrupted, [TextPart("On")]))).path
    assert path[1].parts == CALLS


async def test_an_answer_takes_its_results_on_several_branches(database: Database, principal: Principal) -> None:
    answer = await called(database, principal)
    branches: list[list[Part]] = [[result("a"), result("b")], [result("b"), result("a"), TextPart("Hurry")]]
    for parts in branches:
        begun = await Turns(database).begin(following(principal, answer, parts))
        assert [step.parts for step in begun.path][1:] == [CALLS, tuple(parts)]
        after = await Turns(database).end(completed(principal, begun, "Done"))
        assert after is not None
        on = await Turns(database).begin(following(principal, after, [TextPart("On")]))
        assert len(on.path) == 5


async def test_results_that_are_sent_again_attach_to_what_they_began(database: Database, principal: Principal) -> None:
    answer, request_id = await called(database, principal), uuid4()
    parts = [result("a"), result("b")]
    first = await Turns(database).begin(following(principal, answer, parts, request_id=request_id))
    again = await Turns(database).begin(following(principal, answer, parts, request_id=request_id))
    assert again.known is not None
    assert again.known.generation_id == first.generation_id


async def test_a_message_keeps_its_files_and_holds_their_tokens(
    postgres: Postgres, database: Database, principal: Principal
) -> None:
    image = (*ASKED[1:2], TextPart("What is it?"))
    with pytest.raises(AichatError) as caught:
        await Turns(database).begin(replace(turn(principal), parts=image))
    assert (caught.value.reason, caught.value.metadata) == (Reason.FILE_NOT_FOUND, {"file_id": IMAGE.sha256})
    assert await owner_rows(postgres, principal.org_id) == {}

    await stored(database, principal, IMAGE)
    asked = replace(turn(principal), parts=image * 2, media_tokens=3000)
    begun = await Turns(database).begin(asked)
    answer = await Turns(database).end(completed(principal, begun))
    assert answer is not None
    hold = Hold(HELD, NanoUsd(1_000_000), None)
    on = await Turns(database).begin(following(principal, answer, [TextPart("On")], hold=hold))
    async with connection(postgres.owner_url) as owner:
        used = "SELECT count(*) FROM aichat.message_files WHERE message_id = $1"
        assert await owner.fetchval(used, begun.user_message_id) == 1
        held = "SELECT amount_nano_usd FROM aichat.holds WHERE generation_id = $1"
        assert await owner.fetchval(held, on.generation_id) > HELD + 3000
        await Conversations(database).delete(principal, begun.conversation_id)
        assert await owner.fetchval(used, begun.user_message_id) == 0


async def test_what_left_nothing_keeps_no_file(postgres: Postgres, database: Database, principal: Principal) -> None:
    await stored(database, principal, IMAGE)
    begun = await Turns(database).begin(replace(turn(principal), parts=ASKED[1:2]))
    assert await Turns(database).end(failed(principal, begun)) is None
    async with connection(postgres.owner_url) as owner:
        used = "SELECT count(*) FROM aichat.message_files WHERE org_id = $1"
        assert await owner.fetchval(used, principal.org_id) == 0
