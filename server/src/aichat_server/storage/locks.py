"""Locks that one process at a time holds, whatever becomes of it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

import asyncpg

from aichat_server.storage.errors import storage_errors
from aichat_server.storage.pool import Connector

# Keeps these apart from the advisory locks of others in the database; "jobs" in ASCII.
_CLASS = 0x6A6F6273
# A transaction's lock and not a session's, which a pooler that hands out connections by transaction would lose.
_TRY = "SELECT pg_try_advisory_xact_lock($1::integer, hashtext($2))"
_STAY = "SET LOCAL idle_in_transaction_session_timeout = 0"


@asynccontextmanager
async def try_lock(connector: Connector, name: str) -> AsyncGenerator[bool, None]:
    """Whether the lock of this name is ours, which it is to the end, or until the process or its connection ends.

    It has a connection of its own, so that locks never wait for those who work. STORAGE_UNAVAILABLE if there is none.
    """
    with storage_errors():
        connection = await connector.connect()
    try:
        with storage_errors():
            await connection.execute(f"BEGIN; {_STAY}")
            held = bool(await connection.fetchval(_TRY, _CLASS, name))
        yield held
    finally:
        # The lock goes with the connection, also with one that is lost already.
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            await connection.execute("ROLLBACK")
        connection.terminate()
