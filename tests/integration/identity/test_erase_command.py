"""Erasing a member or a key leaves nothing but ids in the ledger, and nobody else loses anything."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.billing.domain import UNPAID_INVOICE
from aichat_server.billing.storage.unpaid import UnpaidRepository
from aichat_server.content.parts import ReasoningPart, TextPart
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.conversations.storage.summaries import Summary, SummaryStore
from aichat_server.core.actor import Actor
from aichat_server.core.database.database import Database
from aichat_server.core.ids import new_id
from aichat_server.core.money import NanoUsd
from aichat_server.core.periods import month
from aichat_server.identity.domain import api_keys
from aichat_server.identity.domain.principals import Principal, personal_org_id
from aichat_server.identity.storage.api_keys import ApiKeyRepository
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.invoices.storage.invoices import InvoiceRepository
from aichat_server.notifications.storage.notifications import NotificationRepository
from aichat_server.outbox.storage import OutboxRepository
from aichat_server.quotas.domain import QuotaName, QuotaPeriod, QuotaScope
from aichat_server.quotas.service import Quotas

from tests.fixtures.rows import connection
from tests.integration.commands.test_commands import run
from tests.integration.conversations.turns import Turns, completed, exchange, turn

KEPT = {"usage_events", "usage_hourly", "failures"}


@pytest.fixture
def settings(server_settings: dict[str, str]) -> dict[str, str]:
    return {**server_settings, "AICHAT_AUTH_CACHE_SECONDS": "0"}


async def mentions(postgres: Postgres, text: str) -> set[str]:
    """Returns the tables in which a row has this text."""
    async with connection(postgres.owner_url) as owner:
        tables = await owner.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'aichat'::regnamespace AND relkind IN ('r', 'p') "
            "AND NOT relispartition"
        )
        found = set()
        for (table,) in tables:
            query = f"SELECT EXISTS (SELECT FROM aichat.{table} AS t WHERE to_jsonb(t)::text LIKE '%' || $1 || '%')"  # noqa: S608
            if await owner.fetchval(query, text):
                found.add(table)
    return found


async def joined(database: Database, org_id: UUID, member_id: UUID, postgres: Postgres) -> Principal:
    """Adds a member to the organisation, with a key."""
    async with connection(postgres.owner_url) as owner:
        await owner.execute("INSERT INTO aichat.members VALUES ($1, $2, 'member')", org_id, member_id)
    key_id, text = api_keys.new_key(org_id)
    async with database.session(org_id) as session:
        await ApiKeyRepository(session).add(key_id, member_id, api_keys.digest(text), None)
    return Principal(org_id, member_id, key_id)


async def limit(database: Database, principal: Principal, scope: QuotaScope, scope_id: UUID) -> None:
    name = QuotaName(scope, scope_id, QuotaPeriod.MONTH)
    assert await Quotas(database).set(principal.org_id, name, NanoUsd(10**12), None)


async def dun(postgres: Postgres, member: Principal) -> None:
    """Notifies the member of an unpaid invoice."""
    async with connection(postgres.owner_url) as owner:
        january = datetime(2026, 1, 1, tzinfo=UTC)
        february = datetime(2026, 2, 1, tzinfo=UTC)
        invoice = "INSERT INTO aichat.invoices (org_id, period_start, period_end) VALUES ($1, $2, $3)"
        await owner.execute(invoice, member.org_id, january, february)
        notice = (
            "INSERT INTO aichat.unpaid_notices (org_id, notice_id, period_start, member_id) "
            "VALUES ($1, gen_random_uuid(), $2, $3)"
        )
        await owner.execute(notice, member.org_id, january, member.member_id)


async def test_a_members_words_and_traces_go_and_others_stay(
    settings: dict[str, str], tmp_path: Path, postgres: Postgres, database: Database, principal: Principal
) -> None:
    member = await joined(database, principal.org_id, uuid4(), postgres)
    await limit(database, member, QuotaScope.MEMBER, member.member_id)
    assert member.key_id is not None
    await limit(database, member, QuotaScope.KEY, member.key_id)
    secret = f"secret {uuid4()}"
    begun = await Turns(database).begin(turn(member, secret))
    await Turns(database).end(completed(member, begun, secret))
    theirs = (await exchange(database, principal)).conversation_id
    begun = await Turns(database).begin(turn(member, secret, conversation_id=theirs))
    parts = (ReasoningPart(secret), TextPart(secret))
    await Turns(database).end(replace(completed(member, begun), parts=parts))
    await SummaryStore(database).keep(member.org_id, begun.user_message_id, Summary(secret, 1))
    await dun(postgres, member)
    async with database.session(principal.org_id, Actor.member(member.member_id)) as session:
        await NotificationRepository(session).set_quota_warnings(member.member_id, wanted=False)
        await InvoiceRepository(session).close(month(2024, 3))
        for notice_id in await UnpaidRepository(session).tell(month(2024, 3), [member.member_id]):
            await OutboxRepository(session).add(UNPAID_INVOICE, notice_id)

    command = ("organizations", "erase-member", "--organization-id", str(principal.org_id), "--member-id")
    assert await run(settings, tmp_path, *command, str(member.member_id)) == (0, "")
    assert await mentions(postgres, secret) == set()
    assert await mentions(postgres, str(member.key_id)) <= KEPT
    # Only the id still names the author of the blanked messages, as in the ledger.
    assert await mentions(postgres, str(member.member_id)) <= KEPT | {"messages"}
    assert (await Conversations(database).get(principal, theirs)).member_id == principal.member_id
    async with connection(postgres.owner_url) as owner:
        count = "SELECT count(*) FROM aichat.messages WHERE conversation_id = $1"
        assert await owner.fetchval(count, theirs) == 4
        assert (
            await owner.fetchval("SELECT count(*) FROM aichat.usage_events WHERE member_id = $1", member.member_id) == 2
        )
    assert (await run(settings, tmp_path, *command, str(member.member_id)))[0] == 1
    # The conversation can continue.
    begun = await Turns(database).begin(turn(principal, "On", conversation_id=theirs))
    await Turns(database).end(completed(principal, begun))


async def test_erasure_covers_every_reference_to_a_member_or_a_key(postgres: Postgres) -> None:
    """A new table that refers to them must be handled by aichat.erase_member or aichat.erase_key, and named here."""
    async with connection(postgres.owner_url) as owner:
        rows = await owner.fetch(
            "SELECT DISTINCT conrelid::regclass::text FROM pg_constraint WHERE contype = 'f' "
            "AND confrelid IN ('aichat.members'::regclass, 'aichat.api_keys'::regclass, 'aichat.users'::regclass)"
        )
    assert {row[0].removeprefix("aichat.") for row in rows} == {
        "api_keys",
        "conversations",
        "generations",
        "notification_settings",
        "quota_warnings",
        "unpaid_notices",
    }


async def test_a_user_is_erased_with_the_address_and_the_name_of_the_personal_organisation(
    settings: dict[str, str], tmp_path: Path, postgres: Postgres, database: Database
) -> None:
    user_id = uuid4()
    org_id, email = personal_org_id(user_id), f"{user_id}@example.com"
    async with database.session(org_id, Actor.member(user_id)) as session:
        await OrganizationRepository(session).ensure_personal(user_id, email)
        await OrganizationRepository(session).set_contact(email)
    await exchange(database, Principal(org_id, user_id))
    assert {"users", "organizations"} <= await mentions(postgres, email)
    command = ("organizations", "erase-member", "--organization-id", str(org_id), "--member-id", str(user_id))
    assert await run(settings, tmp_path, *command) == (0, "")
    assert await mentions(postgres, email) == set()
    assert await mentions(postgres, str(user_id)) <= KEPT


async def test_a_key_is_erased_and_its_member_stays(
    settings: dict[str, str], tmp_path: Path, postgres: Postgres, database: Database, principal: Principal
) -> None:
    member = await joined(database, principal.org_id, uuid4(), postgres)
    assert member.key_id is not None
    await limit(database, member, QuotaScope.KEY, member.key_id)
    conversation_id = (await exchange(database, member)).conversation_id
    command = ("keys", "erase", str(member.key_id), "--organization-id", str(principal.org_id))
    assert await run(settings, tmp_path, *command) == (0, "")
    assert await mentions(postgres, str(member.key_id)) <= KEPT
    assert (await Conversations(database).get(member, conversation_id)).member_id == member.member_id
    assert (await run(settings, tmp_path, *command))[0] == 1


async def test_members_with_running_answers_and_the_only_owner_are_not_erased(
    settings: dict[str, str], tmp_path: Path, postgres: Postgres, database: Database, principal: Principal
) -> None:
    member = await joined(database, principal.org_id, uuid4(), postgres)
    begun = await Turns(database).begin(turn(member))
    organization = ("--organization-id", str(principal.org_id))
    erase_key = ("keys", "erase", str(member.key_id), *organization)
    erase_member = ("organizations", "erase-member", *organization, "--member-id")
    for command in (erase_key, (*erase_member, str(member.member_id))):
        code, said = await run(settings, tmp_path, *command)
        assert (code, "being written" in said) == (1, True)
    await Turns(database).end(completed(member, begun))
    code, said = await run(settings, tmp_path, *erase_member, str(principal.member_id))
    assert (code, said) == (1, "nobody else owns the organisation\n")
    assert await run(settings, tmp_path, *erase_member, str(member.member_id)) == (0, "")
    assert (await run(settings, tmp_path, *erase_member, str(new_id())))[0] == 1
