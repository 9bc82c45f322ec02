"""Connections to Postgres: one way to make them, two ways to pool them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from typing import Any

import asyncpg
import msgspec
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from aichat_server.storage.errors import READ_ONLY, sqlstate, storage_errors

CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 30.0
CLOSE_SECONDS = 5.0
WAIT_SECONDS = 10.0
"""The longest that a call waits for a connection to come free."""


class Connector:
    """Makes connections to one database."""

    def __init__(self, url: str, *, prepared_statements: bool, command_seconds: float | None = COMMAND_SECONDS) -> None:
        """`prepared_statements`: False behind a pooler that hands out connections by transaction."""
        self.prepared_statements = prepared_statements
        self._url = url
        self._command_seconds = command_seconds

    @property
    def options(self) -> dict[str, Any]:
        """The arguments of asyncpg.connect."""
        return {
            "dsn": self._url,
            "timeout": CONNECT_SECONDS,
            "command_timeout": self._command_seconds,
            "statement_cache_size": 100 if self.prepared_statements else 0,
        }

    async def connect(self) -> asyncpg.Connection[asyncpg.Record]:
        """A new connection."""
        return await asyncpg.connect(**self.options)


class Pool:
    """Connections for statements that are a transaction each, and leave nothing on their connection."""

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool

    async def fetchrow(self, query: str, *arguments: object) -> asyncpg.Record:
        """The one row that `query` gives."""
        with storage_errors():
            try:
                async with self._pool.acquire(timeout=WAIT_SECONDS) as connection:
                    row = await connection.fetchrow(query, *arguments)
            except asyncpg.ReadOnlySQLTransactionError:
                # Another one may have become the primary: new connections find it.
                await self._pool.expire_connections()
                raise
        if row is None:
            raise LookupError(f"no row: {query}")
        return row


def create_engine(connector: Connector, size: int) -> AsyncEngine:
    """SQLAlchemy over at most `size` connections, made when they are needed."""
    arguments: dict[str, object] = {"async_creator_fn": connector.connect}
    if not connector.prepared_statements:
        # Statements without a name, which last until the next one: a pooler need not remember them.
        arguments |= {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}
    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args=arguments,
        pool_size=size,
        max_overflow=0,
        pool_timeout=WAIT_SECONDS,
        # Errors name the statement, and not what a user wrote.
        hide_parameters=True,
        json_deserializer=msgspec.json.decode,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_closed)
    event.listen(engine.sync_engine, "handle_error", _leave_read_only)
    return engine


def _leave_read_only(context: ExceptionContext) -> None:
    """Makes the pool connect again where it finds a replica: another one may have become the primary."""
    if sqlstate(context.sqlalchemy_exception) == READ_ONLY:
        context.is_disconnect = True


def _refuse_closed(connection: DBAPIConnection, *_: object) -> None:
    """Makes the pool replace a connection that the server has closed; unlike a ping, without a round trip."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError


@asynccontextmanager
async def open_pool(connector: Connector, size: int) -> AsyncGenerator[Pool, None]:
    """A pool of at most `size` connections, the first of them made at once."""
    with storage_errors():
        pool = await asyncpg.create_pool(min_size=1, max_size=size, reset=_keep, **connector.options)
    try:
        yield Pool(pool)
    finally:
        with suppress(TimeoutError):
            await asyncio.wait_for(pool.close(), CLOSE_SECONDS)


async def _keep(_: object) -> None:
    """Spares the round trip that would clean a connection on which nothing is left."""
