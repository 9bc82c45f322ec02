"""The database: single statements for the hot path, and tenants for everything else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from aichat_server.billing.storage.billing import BillingRepository
from aichat_server.conversations.storage.conversations import ConversationRepository
from aichat_server.conversations.storage.messages import MessageRepository
from aichat_server.core.database.errors import storage_errors
from aichat_server.core.database.pool import CALLS, Connector, Patience, Pool, create_engine, open_pool
from aichat_server.core.database.role import check_role
from aichat_server.core.database.schema import code_version, read_versions
from aichat_server.core.money import NanoUsd
from aichat_server.identity.storage.api_keys import ApiKeyRepository
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.invoices.storage.adjustments import AdjustmentRepository
from aichat_server.invoices.storage.invoices import InvoiceRepository
from aichat_server.invoices.storage.ledger import LedgerRepository
from aichat_server.invoices.storage.unpaid import UnpaidRepository
from aichat_server.jobs.storage.runs import JobClaim
from aichat_server.jobs.storage.work import WorkList
from aichat_server.models.domain.pricing import Price
from aichat_server.models.storage import read_prices
from aichat_server.notifications.storage.notifications import NotificationRepository
from aichat_server.notifications.storage.warnings import WarningRepository
from aichat_server.outbox.storage import OutboxRepository
from aichat_server.plans.domain import PlanLists
from aichat_server.plans.storage import read_plans
from aichat_server.quotas.storage.platform_limits import PlatformLimit, set_limits
from aichat_server.quotas.storage.quotas import QuotaRepository
from aichat_server.retention.storage import ForgettingRepository
from aichat_server.usage.storage.rollups import Place, RollupRepository, roll_up
from aichat_server.usage.storage.usage import UsageRepository

_SET_WORK_LIST = text("SELECT set_config('aichat.work_list', 'on', true)")
_HOLD_JOB = "SELECT aichat.hold_job($1, $2, $3, $4)"
_EXTEND_BOOKS = text("SELECT aichat.extend_books()")
_NOW = text("SELECT clock_timestamp()")
_SET_TENANT = text(
    "SELECT set_config('aichat.org_id', :org_id, true), set_config('aichat.member_id', :member_id, true)"
)


@dataclass(frozen=True, slots=True)
class Tenant:
    """One organisation's data, inside one transaction. Nothing of another organisation's is visible here."""

    organizations: OrganizationRepository
    api_keys: ApiKeyRepository
    conversations: ConversationRepository
    messages: MessageRepository
    quotas: QuotaRepository
    billing: BillingRepository
    ledger: LedgerRepository
    invoices: InvoiceRepository
    adjustments: AdjustmentRepository
    notifications: NotificationRepository
    outbox: OutboxRepository
    warnings: WarningRepository
    usage: UsageRepository
    rollups: RollupRepository
    unpaid: UnpaidRepository
    forgetting: ForgettingRepository


class Database:
    """Open connections to Postgres, as the role that owns nothing."""

    def __init__(self, engine: AsyncEngine, pool: Pool, renewals: Pool, patience: Patience) -> None:
        self.pool = pool
        """For statements that are a transaction each: the hot path."""
        self.renewals = renewals
        """For statements that renew a lease or a hold, and must not wait for others."""
        self._engine = engine
        self._patience = patience

    @asynccontextmanager
    async def tenant(self, org_id: UUID, member_id: UUID | None = None) -> AsyncGenerator[Tenant, None]:
        """A transaction of one organisation: committed at the end, rolled back if that is an exception.

        `member_id` is None where it is not known yet who acts. STORAGE_UNAVAILABLE if the database is away.
        """
        async with self._transaction() as connection:
            settings = {"org_id": str(org_id), "member_id": str(member_id) if member_id else ""}
            await connection.execute(_SET_TENANT, settings)
            yield _tenant(connection, org_id)

    @asynccontextmanager
    async def work_list(self) -> AsyncGenerator[WorkList, None]:
        """A transaction that reads, across organisations, where there is work, and nothing else of any of them.

        STORAGE_UNAVAILABLE if the database is away.
        """
        async with self._transaction() as connection:
            await connection.execute(_SET_WORK_LIST)
            yield WorkList(connection)

    async def hold_job(self, run: JobClaim, seconds: float) -> bool:
        """Holds a job for so long from now, past all that its run itself waits for; False if another run has it now.

        STORAGE_UNAVAILABLE if the database is away.
        """
        (is_held,) = await self.renewals.fetchrow(_HOLD_JOB, *run, seconds)
        return bool(is_held)

    async def roll_up(self, now: datetime, most: int, after: Place | None) -> tuple[int, Place | None]:
        """Sums up hours of any organisation that were over at `now`: see aichat_server.usage.storage.rollups."""
        async with self._transaction() as connection:
            return await roll_up(connection, now, most, after)

    async def extend_books(self) -> int:
        """Makes room in the ledger for this month and the next three; returns how many partitions that took."""
        async with self._transaction() as connection:
            return int((await connection.execute(_EXTEND_BOOKS)).scalar_one())

    async def now(self) -> datetime:
        """The time by the database's clock."""
        async with self._transaction() as connection:
            now: datetime = (await connection.execute(_NOW)).scalar_one()
            return now

    async def prices(self) -> dict[tuple[str, str], tuple[Price, ...]]:
        """Every price of every model, by provider and model, ascending by version."""
        async with self._transaction() as connection:
            return await read_prices(connection)

    async def plans(self) -> PlanLists:
        """Every plan's terms, ascending by the moment from which they hold."""
        async with self._transaction() as connection:
            return await read_plans(connection)

    async def set_platform_limits(self, limits: Mapping[PlatformLimit, NanoUsd]) -> None:
        """Makes these the platform's limits from the next turn on, for all its servers."""
        async with self._transaction() as connection:
            await set_limits(connection, limits)

    async def check_role(self) -> None:
        """UnsafeRoleError if the role that we are could get around row-level security, or finds no tables."""
        async with self._transaction() as connection:
            await check_role(connection)

    async def check_schema(self) -> bool:
        """Whether a newer version has migrated the database: see aichat_server.core.database.schema.

        SchemaMismatchError if this version does not run on its schema.
        """
        async with self._transaction() as connection:
            at, history = await connection.run_sync(read_versions)
        return code_version().check(at, history)

    @asynccontextmanager
    async def _transaction(self) -> AsyncGenerator[AsyncConnection, None]:
        with storage_errors():
            async with AsyncExitStack() as stack:
                async with asyncio.timeout(self._patience.connection):
                    connection = await stack.enter_async_context(self._engine.connect())
                async with connection.begin():
                    try:
                        yield connection
                    except asyncio.CancelledError:
                        # Whoever is cancelled does not wait for a rollback: the end of the connection is one, too.
                        await connection.invalidate()
                        raise


@asynccontextmanager
async def open_database(
    url: str,
    *,
    pool_size: int = 10,
    prepared_statements: bool = True,
    patience: Patience = CALLS,
) -> AsyncGenerator[Database, None]:
    """The database at `url`, with at most `pool_size` connections, half of them for turns, and one that renews leases.

    `prepared_statements` must be False behind a pooler that hands out connections by transaction. Makes a first
    connection: STORAGE_UNAVAILABLE if that fails.
    """
    connector = Connector(url, prepared_statements=prepared_statements, patience=patience)
    for_turns = pool_size // 2
    async with AsyncExitStack() as stack:
        stack.push_async_callback(connector.close)
        pool = await stack.enter_async_context(open_pool(connector, for_turns, patience.answer))
        renewals = await stack.enter_async_context(open_pool(connector, 1, CALLS.answer))
        engine = create_engine(connector, pool_size - for_turns)
        stack.push_async_callback(engine.dispose)
        await pool.fetchrow("SELECT 1")
        yield Database(engine, pool, renewals, patience)


def _tenant(connection: AsyncConnection, org_id: UUID) -> Tenant:
    return Tenant(
        OrganizationRepository(connection, org_id),
        ApiKeyRepository(connection, org_id),
        ConversationRepository(connection, org_id),
        MessageRepository(connection, org_id),
        QuotaRepository(connection, org_id),
        BillingRepository(connection, org_id),
        LedgerRepository(connection, org_id),
        InvoiceRepository(connection, org_id),
        AdjustmentRepository(connection, org_id),
        NotificationRepository(connection, org_id),
        OutboxRepository(connection, org_id),
        WarningRepository(connection, org_id),
        UsageRepository(connection, org_id),
        RollupRepository(connection, org_id),
        UnpaidRepository(connection, org_id),
        ForgettingRepository(connection, org_id),
    )
