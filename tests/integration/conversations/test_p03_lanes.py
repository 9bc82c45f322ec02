"""Promise 3: a request begins one generation in each of its lanes, and never a second one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.content.parts import TextPart, text_of
from aichat_server.conversations.domain import Turn, TurnAnswer
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.conversations.storage.turns import TurnStore
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.ids import new_id
from aichat_server.core.money import NanoUsd
from aichat_server.generations.domain.generation import Beginning, Claim, Ending, GenerationState
from aichat_server.generations.domain.stored import HoldTerms
from aichat_server.identity.domain.principals import Principal
from aichat_server.models.domain.pricing import Hold
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import StopReason

from tests.fixtures.rows import connection, owner_rows
from tests.integration.conversations.turns import COST, PRICE_VERSION, USAGE
from tests.integration.quotas.ledger import limit

HELD = 60


@pytest.fixture
def store(database: Database) -> TurnStore:
    """Where turns are stored."""
    return TurnStore(database, HoldTerms())


def asked(
    principal: Principal, request_id: UUID, lanes: Sequence[int] = (0, 1), conversation: UUID | None = None
) -> Turn:
    """A question to several models side by side."""
    hold = Hold(NanoUsd(HELD), NanoUsd(0), None)
    asker = (principal.org_id, principal.member_id, principal.key_id)
    answers = tuple(
        TurnAnswer(
            new_id(),
            Beginning(*asker, new_id(), f"model-{lane}", "vendor", {}, hold, Claim(request_id, b"same", lane)),
        )
        for lane in lanes
    )
    place = (conversation or new_id(), conversation is None, "Title", None, new_id())
    return Turn(*place, (TextPart("Hello"),), None, answers)


def ended(answer: TurnAnswer, text: str | None) -> Ending:
    """The answer is complete with `text`; without one it has failed before it used anything."""
    one = answer.beginning
    about = (one.org_id, one.member_id, one.generation_id, one.model, one.provider)
    if text is None:
        why = (Reason.PROVIDER_TIMEOUT, "the vendor was silent")
        return Ending(*about, GenerationState.FAILED, None, None, Usage(), {}, NanoUsd(0), PRICE_VERSION, *why)
    parts, stop = (TextPart(text),), StopReason.END_TURN
    return Ending(*about, GenerationState.COMPLETE, parts, stop, USAGE, {}, COST, PRICE_VERSION, None, None)


async def listed(database: Database, principal: Principal, turn: Turn) -> list[str]:
    page = await Conversations(database).list_messages(principal, turn.conversation_id, 10)
    return [text_of(message.parts) for message in page.items]


async def requests(postgres: Postgres, principal: Principal) -> set[tuple[int, UUID]]:
    async with connection(postgres.owner_url) as owner:
        query = "SELECT lane, generation_id FROM aichat.requests WHERE org_id = $1"
        return {(row[0], row[1]) for row in await owner.fetch(query, principal.org_id)}


async def test_answers_stand_side_by_side_and_the_first_is_followed(
    database: Database, principal: Principal, store: TurnStore
) -> None:
    turn = asked(principal, uuid4())
    await store.begin(turn)
    first, second = turn.answers
    await store.end(ended(second, "Two"))
    await store.end(ended(first, "One"))
    assert sorted(await listed(database, principal, turn)) == ["Hello", "One", "Two"]
    following = await store.begin(asked(principal, uuid4(), [0], turn.conversation_id))
    assert [text_of(step.parts) for step in following.path] == ["Hello", "One", "Hello"]


async def test_a_repeated_request_begins_nothing(postgres: Postgres, principal: Principal, store: TurnStore) -> None:
    request_id = uuid4()
    turns = [asked(principal, request_id) for _ in range(6)]
    begun = await asyncio.gather(*(store.begin(turn) for turn in turns))
    [fresh] = [turn for turn, one in zip(turns, begun, strict=True) if one.known is None]
    known = {one.known.generation_id for one in begun if one.known is not None}
    assert known == {fresh.answers[0].beginning.generation_id}
    claimed = {(lane, answer.beginning.generation_id) for lane, answer in enumerate(fresh.answers)}
    assert await requests(postgres, principal) == claimed
    rows = await owner_rows(postgres, principal.org_id)
    assert {table: len(found) for table, found in rows.items()} == {"conversations": 1, "messages": 3, "generations": 2}
    # A reply that was lost is asked for again.
    again = await store.begin(fresh)
    assert (again.known, len(again.path)) == (None, 1)
    # A lane more is not begun alone, and is left to the turn that knows it.
    assert (await store.begin(asked(principal, request_id, [2, 0]))).known is not None
    assert await requests(postgres, principal) == claimed


async def test_a_lane_without_a_trace_leaves_the_turn_to_the_others(
    postgres: Postgres, database: Database, principal: Principal, store: TurnStore
) -> None:
    request_id = uuid4()
    turn = asked(principal, request_id)
    await store.begin(turn)
    first, second = turn.answers
    known = await store.end(ended(first, None))
    assert known is not None
    assert (known.parts, known.state) == (None, GenerationState.FAILED)
    # The head was the first answer, and becomes the one that is still being written.
    following = await store.begin(asked(principal, uuid4(), [0], turn.conversation_id))
    assert following.path[1].generation_id == second.beginning.generation_id
    await store.end(ended(second, "Two"))
    repeated = await store.begin(asked(principal, request_id))
    assert repeated.known is not None
    assert (repeated.known.generation_id, repeated.known.error_reason) == (
        first.beginning.generation_id, Reason.PROVIDER_TIMEOUT
    )  # fmt: skip
    assert len(await requests(postgres, principal)) == 3


async def test_a_turn_is_taken_back_when_its_last_lane_leaves_no_trace(
    postgres: Postgres, principal: Principal, store: TurnStore
) -> None:
    request_id = uuid4()
    turn = asked(principal, request_id)
    await store.begin(turn)
    for answer in turn.answers:
        assert len(await requests(postgres, principal)) == 2
        await store.end(ended(answer, None))
    assert list(await owner_rows(postgres, principal.org_id)) == ["generations"]
    assert await requests(postgres, principal) == set()
    assert (await store.begin(asked(principal, request_id))).known is None


async def test_all_lanes_are_held_together(postgres: Postgres, database: Database, principal: Principal) -> None:
    store = TurnStore(database, HoldTerms())
    await limit(database, principal, 2 * HELD - 1)
    with pytest.raises(AichatError) as caught:
        await store.begin(asked(principal, uuid4()))
    assert caught.value.reason is Reason.QUOTA_EXCEEDED
    assert await owner_rows(postgres, principal.org_id) == {}
    await limit(database, principal, 2 * HELD)
    assert (await store.begin(asked(principal, uuid4()))).known is None
