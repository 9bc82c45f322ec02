"""Sessions of the schema's owner, in which commands write what the server may not."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from sqlalchemy import text

from aichat_server.core.database.errors import storage_errors
from aichat_server.core.database.pool import Connector, Patience, create_engine
from aichat_server.core.database.session import PlatformSession

LONG = Patience(connection=10.0, answer=3600.0)
"""Building an index, or deleting a member's rows, may take long."""

# The settings of the server's role (server/migrations/rights.sql), for one transaction: a vanished process releases its
# locks within seconds.
_VANISH_SOON = text(
    "SELECT set_config('tcp_keepalives_idle', '5', true), set_config('tcp_keepalives_interval', '2', true), "
    "set_config('tcp_keepalives_count', '3', true), set_config('tcp_user_timeout', '10s', true), "
    "set_config('client_connection_check_interval', '5s', true), "
    "set_config('idle_in_transaction_session_timeout', '20s', true)"
)


@asynccontextmanager
async def owner_session(url: str) -> AsyncGenerator[PlatformSession, None]:
    """A transaction of the role that `url` names: committed at the end, rolled back on an exception.

    Raises STORAGE_UNAVAILABLE if the database is unreachable.
    """
    # A pooler may be in between.
    connector = Connector(url, prepared_statements=False, patience=LONG)
    engine = create_engine(connector, size=1)
    try:
        with storage_errors():
            async with engine.begin() as connection:
                await connection.execute(_VANISH_SOON)
                yield PlatformSession(connection)
    finally:
        await engine.dispose()
        await connector.close()
