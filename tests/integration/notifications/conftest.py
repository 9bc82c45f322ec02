"""A separate Postgres, since a run processes every organisation."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest
from aichat_sandbox.postgres import Postgres, run_postgres
from aichat_server.app.jobs import build_quota_warnings
from aichat_server.core.database.database import Database, open_database
from aichat_server.core.database.migrate import migrate
from aichat_server.core.money import NanoUsd
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.api_keys import ApiKeyRepository
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.notifications.service.warnings import QuotaWarnings
from aichat_server.plans.domain import Plan
from aichat_server.quotas.domain import QuotaName, QuotaPeriod, QuotaScope
from aichat_server.quotas.service import Quotas
from aichat_server.settings import Settings

from tests.fixtures.mail import MailServer
from tests.fixtures.postgres import postgres_folder
from tests.fixtures.rows import connection

SECRET = "what signs the links of e-mails in tests"
PUBLIC_URL = "https://api.example.com/"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
DOLLAR = 1_000_000_000


@pytest.fixture(scope="session")
async def postgres() -> AsyncGenerator[Postgres, None]:
    with postgres_folder() as folder:
        async with run_postgres(folder) as server:
            await migrate(server.owner_url, server.app_url)
            yield server


@pytest.fixture(scope="session")
async def database(postgres: Postgres) -> AsyncGenerator[Database, None]:
    async with open_database(postgres.app_url, pool_size=10) as opened:
        yield opened


@dataclass(frozen=True, slots=True)
class Company:
    """An organisation whose owner may have an address, with quotas and a ledger as a test needs them."""

    database: Database
    postgres: Postgres
    principal: Principal
    """The owner, with a key."""

    async def limit(
        self,
        dollars: int | None,
        *,
        soft: int | None = None,
        scope: QuotaScope = QuotaScope.ORGANIZATION,
        period: QuotaPeriod = QuotaPeriod.MONTH,
        since: datetime = LONG_AGO,
    ) -> None:
        """Sets a quota as of `since`."""
        who = self.principal
        ids = {QuotaScope.ORGANIZATION: who.org_id, QuotaScope.MEMBER: who.member_id, QuotaScope.KEY: who.key_id}
        hard, softer = (None if amount is None else NanoUsd(amount * DOLLAR) for amount in (dollars, soft))
        owner_id = ids[scope]
        assert owner_id is not None
        assert await Quotas(self.database).set(who.org_id, QuotaName(scope, owner_id, period), hard, softer)
        async with connection(self.postgres.owner_url) as owner:
            await owner.execute("UPDATE aichat.quotas SET updated_at = $2 WHERE org_id = $1", who.org_id, since)

    async def spend(self, dollars: int, at: datetime) -> None:
        """Adds a turn of the owner's key to the ledger."""
        who = self.principal
        async with connection(self.postgres.owner_url) as owner:
            await owner.execute(
                """
                INSERT INTO aichat.usage_events (
                    org_id, generation_id, conversation_id, member_id, key_id, provider, model, price_version,
                    input_tokens, cache_read_tokens, cache_write_tokens, cache_write_1h_tokens, output_tokens,
                    reasoning_tokens, web_searches, raw_usage, quality, cost_nano_usd, duration_ms, occurred_at
                ) VALUES ($1, $2, $2, $3, $4, 'vendor', 'model', $6, 1, 0, 0, 0, 1, 0, 0, '{}', 'exact', $5, 1, $6)
                """,
                *(who.org_id, uuid4(), who.member_id, who.key_id, dollars * DOLLAR, at),
            )

    async def states(self) -> list[tuple[int, str]]:
        """Returns each warning's threshold and state."""
        rows = await self._rows("SELECT threshold, state FROM aichat.quota_warnings WHERE org_id = $1 ORDER BY 1, 2")
        return [(row["threshold"], row["state"]) for row in rows]

    async def let_claims_run_out(self) -> None:
        await self._rows("UPDATE aichat.quota_warnings SET claimed_until = now() - interval '1 s' WHERE org_id = $1")

    async def _rows(self, query: str) -> list[asyncpg.Record]:
        async with connection(self.postgres.owner_url) as owner:
            return await owner.fetch(query, self.principal.org_id)


@dataclass(frozen=True, slots=True)
class Companies:
    """Creates organisations."""

    database: Database
    postgres: Postgres

    async def make(self, name: str = "Acme", email: str | None = "owner@example.com") -> Company:
        principal = Principal(uuid4(), uuid4(), uuid4())
        assert principal.key_id
        async with self.database.session(principal.org_id, principal.actor) as session:
            await OrganizationRepository(session).ensure(name, principal.member_id)
            # Free would have its own quota.
            await OrganizationRepository(session).set_plan(Plan.TEAM)
            await ApiKeyRepository(session).add(principal.key_id, principal.member_id, b"hash", None)
        if email:
            await self._add_user(principal.member_id, email)
        return Company(self.database, self.postgres, principal)

    async def add_owner(self, company: Company, email: str) -> UUID:
        member_id = uuid4()
        query = "INSERT INTO aichat.members (org_id, member_id, role) VALUES ($1, $2, 'owner')"
        async with connection(self.postgres.owner_url) as owner:
            await owner.execute(query, company.principal.org_id, member_id)
        await self._add_user(member_id, email)
        return member_id

    async def _add_user(self, user_id: UUID, email: str) -> None:
        async with connection(self.postgres.owner_url) as owner:
            await owner.execute("INSERT INTO aichat.users (user_id, email) VALUES ($1, $2)", user_id, email)


@pytest.fixture
async def companies(database: Database, postgres: Postgres) -> Companies:
    """Deletes the organisations of earlier tests, whose warnings a run would send, too."""
    async with connection(postgres.owner_url) as owner:
        # Bypasses the triggers that protect the ledger from deletion.
        await owner.execute("SET session_replication_role = replica; TRUNCATE aichat.organizations CASCADE")
    return Companies(database, postgres)


@pytest.fixture
async def acme(companies: Companies) -> Company:
    """An organisation whose owner has an address."""
    return await companies.make()


@pytest.fixture
def mail_settings(postgres: Postgres, mail_server: MailServer) -> dict[str, str]:
    """The settings that a worker needs to send warnings."""
    return {
        "DATABASE_URL": postgres.app_url,
        "SMTP_URL": mail_server.url,
        "AICHAT_MAIL_FROM": "AI Chat <no-reply@aichat.example>",
        "AICHAT_MAIL_SECRET": SECRET,
        "AICHAT_PUBLIC_URL": PUBLIC_URL,
    }


@pytest.fixture
def warnings(mail_settings: dict[str, str], database: Database) -> QuotaWarnings:
    """A worker's, as the composition root builds it."""
    return build(mail_settings, database)


def build(settings: dict[str, str], database: Database) -> QuotaWarnings:
    built = build_quota_warnings(Settings.model_validate(settings), database)
    assert built is not None
    return built
