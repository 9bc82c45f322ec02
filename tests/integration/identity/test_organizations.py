"""Organisations by name, personal ones, and API keys."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.core.actor import Actor
from aichat_server.core.database.database import Database
from aichat_server.identity.domain import api_keys
from aichat_server.identity.domain.principals import Principal, personal_org_id
from aichat_server.identity.service.authenticator import Authenticator
from aichat_server.identity.service.organizations import MintedKey, NameTakenError, Organizations
from aichat_server.identity.storage.api_keys import ApiKeyRepository
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.plans.domain import Plan

from tests.fixtures.rows import connection


@pytest.fixture
def organizations(database: Database) -> Organizations:
    return Organizations(database)


async def test_a_minted_key_is_found_by_what_it_names(database: Database, organizations: Organizations) -> None:
    minted = await organizations.mint_key(f"Minting {uuid4()}", expires_in=timedelta(days=1))
    assert api_keys.parse(minted.api_key) == (minted.org_id, minted.key_id)
    async with database.session(minted.org_id) as session:
        stored = await ApiKeyRepository(session).find(minted.key_id)
    assert stored is not None
    assert (stored.org_id, stored.member_id) == (minted.org_id, minted.member_id)
    assert stored.key_hash == api_keys.digest(minted.api_key)
    assert stored.revoked_at is None
    assert stored.expires_in is not None
    assert timedelta(hours=23) < stored.expires_in <= timedelta(days=1)


async def test_a_name_makes_one_organisation_and_its_id_further_keys(organizations: Organizations) -> None:
    name = f"Again {uuid4()}"
    outcomes = await asyncio.gather(*(organizations.mint_key(name) for _ in range(5)), return_exceptions=True)
    [first] = [outcome for outcome in outcomes if isinstance(outcome, MintedKey)]
    taken = [outcome for outcome in outcomes if isinstance(outcome, NameTakenError)]
    assert [error.org_id for error in taken] == [first.org_id] * 4
    second = await organizations.mint_another_key(first.org_id)
    assert second is not None
    assert (first.org_id, first.member_id) == (second.org_id, second.member_id)
    assert first.key_id != second.key_id
    assert (await organizations.mint_key(name + "!")).org_id != first.org_id


async def test_a_key_for_a_users_own_organisation_is_the_users(
    database: Database, organizations: Organizations
) -> None:
    user_id = uuid4()
    org_id = personal_org_id(user_id)
    async with database.session(org_id, Actor.member(user_id)) as session:
        await OrganizationRepository(session).ensure_personal(user_id, None)
    minted = await organizations.mint_another_key(org_id)
    assert minted is not None
    principal = await Authenticator(database, None, cache_seconds=0).authenticate(minted.api_key)
    assert (principal.org_id, principal.member_id, principal.acts_as_member) == (org_id, user_id, True)


async def test_minting_puts_the_organisation_on_a_plan_and_else_leaves_it(
    database: Database, organizations: Organizations
) -> None:
    first, plans = await organizations.mint_key(f"Planned {uuid4()}"), []
    for plan in (None, Plan.TEAM, None, Plan.PRO):
        minted = await organizations.mint_another_key(first.org_id, plan=plan)
        assert minted is not None
        principal = await Authenticator(database, None, cache_seconds=0).authenticate(minted.api_key)
        plans.append(principal.plan)
    assert plans == [Plan.FREE, Plan.TEAM, Plan.TEAM, Plan.PRO]


async def test_a_personal_organisation_has_a_plan_from_first_sight(postgres: Postgres, database: Database) -> None:
    user_id = uuid4()
    org_id = personal_org_id(user_id)

    async def see() -> Plan:
        async with database.session(org_id, Actor.member(user_id)) as session:
            return await OrganizationRepository(session).ensure_personal(user_id, None)

    assert [await see(), await see()] == [Plan.FREE, Plan.FREE]
    async with database.session(org_id) as session:
        await OrganizationRepository(session).set_plan(Plan.PRO)
    assert await see() is Plan.PRO


async def test_a_minted_keys_member_can_hold_conversations(database: Database, organizations: Organizations) -> None:
    minted = await organizations.mint_key(f"Talking {uuid4()}")
    principal = Principal(minted.org_id, minted.member_id, minted.key_id)
    assert (await Conversations(database).create(principal)).member_id == minted.member_id


async def test_a_revoked_key_stays_revoked_since_the_first_time(
    database: Database, organizations: Organizations
) -> None:
    minted = await organizations.mint_key(f"Revoking {uuid4()}")
    times = set()
    for _ in range(2):
        assert await organizations.revoke_key(minted.org_id, minted.key_id)
        async with database.session(minted.org_id) as session:
            stored = await ApiKeyRepository(session).find(minted.key_id)
        assert stored is not None
        times.add(stored.revoked_at)
    assert len(times) == 1
    assert None not in times


async def test_a_key_is_neither_found_nor_revoked_from_another_organisation(
    database: Database, organizations: Organizations
) -> None:
    minted = await organizations.mint_key(f"Ours {uuid4()}")
    other = await organizations.mint_key(f"Theirs {uuid4()}")
    assert not await organizations.revoke_key(other.org_id, minted.key_id)
    assert not await organizations.revoke_key(minted.org_id, uuid4())
    async with database.session(other.org_id) as session:
        assert await ApiKeyRepository(session).find(minted.key_id) is None
    async with database.session(minted.org_id) as session:
        stored = await ApiKeyRepository(session).find(minted.key_id)
    assert stored is not None
    assert stored.revoked_at is None


async def test_the_key_itself_is_stored_and_shown_nowhere(postgres: Postgres, organizations: Organizations) -> None:
    minted = await organizations.mint_key(f"Secret {uuid4()}")
    assert minted.api_key not in repr(minted)
    async with connection(postgres.owner_url) as owner:
        row = await owner.fetchval(
            "SELECT to_jsonb(api_keys)::text FROM aichat.api_keys WHERE key_id = $1", minted.key_id
        )
    assert minted.api_key[-32:] not in row


async def test_first_sight_makes_user_organisation_and_member_once(postgres: Postgres, database: Database) -> None:
    user_id = uuid4()
    org_id = personal_org_id(user_id)

    async def see(email: str | None) -> None:
        async with database.session(org_id, Actor.member(user_id)) as session:
            await OrganizationRepository(session).ensure_personal(user_id, email)

    await asyncio.gather(*(see("first@example.com") for _ in range(5)))
    await see("second@example.com")
    async with connection(postgres.owner_url) as owner:
        users = await owner.fetch("SELECT email FROM aichat.users WHERE user_id = $1", user_id)
        orgs = await owner.fetch("SELECT name FROM aichat.organizations WHERE org_id = $1", org_id)
        members = await owner.fetch("SELECT member_id, role FROM aichat.members WHERE org_id = $1", org_id)
    assert [row["email"] for row in users] == ["second@example.com"]
    assert [row["name"] for row in orgs] == ["first@example.com"]
    assert [tuple(row) for row in members] == [(user_id, "owner")]
