"""The database: it opens sessions, and pools connections for single statements."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from aichat_server.core.actor import Actor, current_actor
from aichat_server.core.database.errors import storage_errors
from aichat_server.core.database.pool import CALLS, Connector, Patience, Pool, create_engine, open_pool
from aichat_server.core.database.session import PlatformSession, Session

_SET_PLATFORM = text("SELECT set_config('aichat.work_list', 'on', true)")
_NOW = text("SELECT clock_timestamp()")
_SET_TENANT = text(
    "SELECT set_config('aichat.org_id', :org_id, true), set_config('aichat.member_id', :member_id, true)"
)


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
    async def session(self, org_id: UUID, actor: Actor | None = None) -> AsyncGenerator[Session, None]:
        """A transaction of one organisation: committed at the end, rolled back on an exception.

        `actor`: None for the one set by `acting_as`. Raises STORAGE_UNAVAILABLE if the database is unreachable.
        """
        acting = actor or current_actor()
        async with self._transaction() as connection:
            settings = {"org_id": str(org_id), "member_id": str(acting.member_id or "")}
            await connection.execute(_SET_TENANT, settings)
            yield Session(connection, org_id, acting)

    @asynccontextmanager
    async def platform_session(self) -> AsyncGenerator[PlatformSession, None]:
        """A transaction of no organisation: committed at the end, rolled back on an exception.

        It sees in which organisations there is work, and nothing else of them. Raises STORAGE_UNAVAILABLE if the
        database is unreachable.
        """
        async with self._transaction() as connection:
            await connection.execute(_SET_PLATFORM)
            yield PlatformSession(connection)

    async def now(self) -> datetime:
        """Returns the database's time; raises STORAGE_UNAVAILABLE if the database is unreachable."""
        async with self._transaction() as connection:
            now: datetime = (await connection.execute(_NOW)).scalar_one()
            return now

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
                        # A cancelled task does not wait for a rollback: closing the connection rolls back, too.
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
    """Opens the database at `url`, with at most `pool_size` connections, half of them for single statements.

    One more connection renews leases. `prepared_statements` must be False behind a pooler in transaction mode. Opens a
    first connection; raises STORAGE_UNAVAILABLE if that fails.
    """
    connector = Connector(url, prepared_statements=prepared_statements, patience=patience)
    for_statements = pool_size // 2
    async with AsyncExitStack() as stack:
        stack.push_async_callback(connector.close)
        pool = await stack.enter_async_context(open_pool(connector, for_statements, patience.answer))
        renewals = await stack.enter_async_context(open_pool(connector, 1, CALLS.answer))
        engine = create_engine(connector, pool_size - for_statements)
        stack.push_async_callback(engine.dispose)
        await pool.fetchrow("SELECT 1")
        yield Database(engine, pool, renewals, patience)
