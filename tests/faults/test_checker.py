"""The checker finds nothing where nothing is wrong, and finds each fault that it checks for."""

from __future__ import annotations

import copy
from uuid import UUID

import pytest

from tests.faults.checker import faults_in
from tests.faults.load import MODELS, Turn, follow, hold, marked
from tests.faults.rig import Rig
from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey

# Bypasses the triggers that protect the ledger from changes.
AS_NOBODY_MAY = "SET session_replication_role = replica"

# Each planted fault, and words of the checker's finding. `one` is the row of an answer, `org` its organisation.
PLANTED = {
    "an answer's text": ("UPDATE aichat.messages SET parts = '[]' WHERE {one}", "stored as"),
    "an answer that is gone": ("DELETE FROM aichat.messages WHERE {one}", "stored as"),
    "an answer's state": ("UPDATE aichat.messages SET state = 'interrupted' WHERE {one}", "stored as"),
    "a second answer": (
        """
        INSERT INTO aichat.messages SELECT (copy).* FROM (
            SELECT jsonb_populate_record(m, jsonb_build_object('message_id', gen_random_uuid())) AS copy
            FROM aichat.messages AS m WHERE {one}
        ) AS copied
        """,
        "stored as",
    ),
    "a charge": ("UPDATE aichat.usage_events SET cost_nano_usd = cost_nano_usd + 1 WHERE {one}", "is charged"),
    "a charge that is gone": ("DELETE FROM aichat.usage_events WHERE {one}", "0 times in the ledger"),
    "a second charge": (
        """
        INSERT INTO aichat.usage_events SELECT (copy).* FROM (
            SELECT jsonb_populate_record(u, jsonb_build_object('occurred_at', now())) AS copy
            FROM aichat.usage_events AS u WHERE {one}
        ) AS copied
        """,
        "2 times in the ledger",
    ),
    "a charge for nothing": ("DELETE FROM aichat.generations WHERE {one}", "which is not there"),
    "tokens": ("UPDATE aichat.usage_events SET output_tokens = output_tokens + 1 WHERE {one}", "differ"),
    "a cost that is not the tokens'": (
        """
        UPDATE aichat.generations SET cost_nano_usd = 1 WHERE {one};
        UPDATE aichat.usage_events SET cost_nano_usd = 1 WHERE {one}
        """,
        "by its tokens",
    ),
    "an hour": ("UPDATE aichat.usage_hourly SET cost_nano_usd = cost_nano_usd + 1 WHERE org_id = '{org}'", "summed up"),
    "a quota's counter": (
        "UPDATE aichat.quota_usage SET charged_nano_usd = charged_nano_usd + 1 WHERE org_id = '{org}'",
        "a quota by",
    ),
    "a hold": (
        """
        INSERT INTO aichat.holds (org_id, generation_id, member_id, amount_nano_usd, expires_at)
        SELECT org_id, generation_id, member_id, 5, now() FROM aichat.generations WHERE {one}
        """,
        "holds: ",
    ),
    "a lease": (
        "INSERT INTO aichat.leases SELECT org_id, generation_id, now() FROM aichat.generations WHERE {one}",
        "leases: ",
    ),
    "an answer that runs": ("UPDATE aichat.generations SET state = 'running', ended_at = NULL WHERE {one}", "runs"),
    "a message that is written": ("UPDATE aichat.messages SET running = true WHERE {one}", "is being written"),
    "a request that ran twice": (
        """
        UPDATE aichat.turns
        SET user_message_id = (SELECT user_message_id FROM aichat.turns WHERE {one}) WHERE org_id = '{org}'
        """,
        "ran 2 times",
    ),
}


@pytest.fixture
async def turns(rig: Rig, key: ApiKey) -> list[Turn]:
    """Returns two finished turns, one with a second reader; the usage of their hour is summed."""
    turns = [Turn(key, marked(words=6), model) for model in MODELS[:2]]
    for turn in turns:
        await hold(rig, turn)
    assert await follow(turns[0], rig.replicas[1]) == ""
    async with connection(rig.owner_url) as owner:
        org_id = UUID(key.organization_id)
        await owner.execute(
            "SELECT aichat.sum_up($1, ARRAY(SELECT hour FROM aichat.open_hours WHERE org_id = $1))", org_id
        )
        await owner.execute("DELETE FROM aichat.open_hours WHERE org_id = $1", org_id)
    return turns


async def found(rig: Rig, key: ApiKey, turns: list[Turn]) -> list[str]:
    return await faults_in(rig.owner_url, key.organization_id, turns, quiet_seconds=0)


async def test_it_finds_nothing_in_a_correct_database(rig: Rig, key: ApiKey, turns: list[Turn]) -> None:
    assert await found(rig, key, turns) == []


@pytest.mark.parametrize("name", PLANTED)
async def test_it_finds_faults_in_the_database(rig: Rig, key: ApiKey, turns: list[Turn], name: str) -> None:
    statement, words = PLANTED[name]
    assert turns[0].completed is not None
    one = f"org_id = '{key.organization_id}' AND generation_id = '{turns[0].completed.generation_id}'"
    async with connection(rig.owner_url) as owner:
        await owner.execute(f"{AS_NOBODY_MAY}; {statement.format(one=one, org=key.organization_id)}")
    assert any(words in fault for fault in await found(rig, key, turns)), name


async def test_it_finds_faults_in_what_callers_saw(rig: Rig, key: ApiKey, turns: list[Turn]) -> None:
    def planted() -> Turn:
        return copy.deepcopy(turns[0])

    gap, repeat, other, twice, less = (planted() for _ in range(5))
    del gap.readings[0].events[2]
    repeat.readings[0].events.insert(2, repeat.readings[0].events[1])
    other.readings[0].events[1] = (2, "another")
    twice.readings[0].generation_id = key.key_id
    less.seen = less.seen[:-1]
    for turn, words in (
        (gap, "a reader of"),
        (repeat, "a reader of"),
        (other, "'another"),
        (twice, "was answered by"),
        (less, "was shown as"),
    ):
        assert any(words in fault for fault in await found(rig, key, [turn, turns[1]])), words
