"""Connections to Postgres: one way to open them, two ways to pool them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial

import asyncpg
import msgspec
from sqlalchemy import event
from sqlalchemy.engine.interfaces import DBAPIConnection, ExceptionContext
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from aichat_server.core.database.connections import Connection, Trust
from aichat_server.core.database.errors import READ_ONLY, sqlstate, storage_errors
from aichat_server.core.errors import AichatError

CONNECT_SECONDS = 10.0
"""The longest that opening a connection may take; it needs four round trips."""
FIRST_SECONDS = 4.5
"""A repeatable statement is repeated if its first answer takes longer than this: two round trips, even slow ones."""
SECOND_SECONDS = 1.0
"""How much longer such a call may take than others."""


@dataclass(frozen=True, slots=True)
class Patience:
    """The longest waits for the database, in seconds."""

    connection: float
    """For a connection."""
    answer: float
    """For the answer to a statement. A connection that does not answer is closed."""


CALLS = Patience(connection=5.0, answer=5.0)
"""For calls."""
JOBS = Patience(connection=10.0, answer=35.0)
"""For background work, which may read much."""


class Connector:
    """Opens connections to one database."""

    def __init__(self, url: str, *, prepared_statements: bool, patience: Patience = CALLS) -> None:
        """`prepared_statements`: False behind a pooler in transaction mode."""
        self.prepared_statements = prepared_statements
        self.patience = patience
        self.trust = Trust()
        self._url = url
        # Attempts whose callers have timed out; some are still in progress.
        self._late: list[asyncio.Task[Connection]] = []

    async def connect(self) -> Connection:
        """Returns a new connection. One that is too late for its caller is kept for the next."""
        while self._late:
            attempt = self._late.pop()
            if not attempt.done():
                break
            if attempt.exception() is None and await attempt.result().is_sound():
                return attempt.result()
        else:
            attempt = asyncio.create_task(self._connect())
        try:
            return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            attempt.add_done_callback(_note_failure)
            self._late.append(attempt)
            raise

    async def close(self) -> None:
        """Closes the connections that nobody has taken."""
        for attempt in self._late:
            attempt.cancel()
        for made in await asyncio.gather(*self._late, return_exceptions=True):
            if isinstance(made, Connection):
                made.terminate()

    async def _connect(self) -> Connection:
        try:
            connection = await asyncpg.connect(
                self._url,
                timeout=CONNECT_SECONDS,
                command_timeout=self.patience.answer,
                statement_cache_size=100 if self.prepared_statements else 0,
                # Preparing a statement again would cost its next caller a round trip.
                max_cached_statement_lifetime=0,
                connection_class=Connection,
            )
        except RuntimeError as error:
            raise _reset(error) from error
        connection.trust = self.trust
        return connection


class Pool:
    """At most `size` connections for statements that are transactions of their own and leave no state behind."""

    def __init__(self, connector: Connector, size: int, seconds: float) -> None:
        """`seconds`: how long a call waits without any response, for a connection or for the answer."""
        self._connector = connector
        self._seconds = seconds
        self._places = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._closed = False

    async def fetchrow(self, query: str, *arguments: object) -> asyncpg.Record:
        """Returns the one row of `query`."""
        with storage_errors():
            async with asyncio.timeout(self._seconds) as patience, self._places:
                row = await self._fetchrow(await self._take(patience), query, arguments)
        return _there(row, query)

    async def fetchrow_again(self, query: str, *arguments: object) -> asyncpg.Record:
        """Like `fetchrow`, for repeatable statements: retries on a new connection if the first does not answer."""
        with storage_errors():
            async with asyncio.timeout(self._seconds) as patience, self._places:
                try:
                    with storage_errors():
                        connection = await self._take(patience)
                        async with asyncio.timeout(FIRST_SECONDS):
                            row = await self._fetchrow(connection, query, arguments)
                except AichatError:
                    patience.reschedule((patience.when() or 0.0) + SECOND_SECONDS)
                    # Other open connections may be dead as well.
                    row = await self._fetchrow(await self._connector.connect(), query, arguments)
        return _there(row, query)

    async def _fetchrow(
        self, connection: Connection, query: str, arguments: tuple[object, ...]
    ) -> asyncpg.Record | None:
        try:
            row = await connection.fetchrow(query, *arguments)
        except asyncpg.ReadOnlySQLTransactionError:
            # Another server may have become the primary: new connections find it.
            connection.trust.discard()
            connection.terminate()
            raise
        except asyncpg.PostgresError:
            self._put_back(connection)
            raise
        except RuntimeError as error:
            connection.lose()
            raise _reset(error) from error
        except BaseException:
            connection.lose()
            raise
        self._put_back(connection)
        return row

    async def _take(self, patience: asyncio.Timeout) -> Connection:
        connection = await self._sound()
        # A connection that has just shown that it is alive may be slow.
        patience.reschedule(max(patience.when() or 0.0, connection.heard_at + self._seconds))
        return connection

    async def _sound(self) -> Connection:
        while self._idle:
            # The most recently used one: it is the likeliest to be alive, and to need no check.
            connection = self._idle.pop()
            if await connection.is_sound():
                return connection
        return await self._connector.connect()

    def _put_back(self, connection: Connection) -> None:
        connection.heard()
        if self._closed or connection.is_closed():
            connection.lose()
        else:
            self._idle.append(connection)

    def close(self) -> None:
        """Closes the connections; statements that are in progress are still answered."""
        self._closed = True
        while self._idle:
            self._idle.pop().terminate()


def _there(row: asyncpg.Record | None, query: str) -> asyncpg.Record:
    if row is None:
        raise LookupError(f"no row: {query}")
    return row


def create_engine(connector: Connector, size: int) -> AsyncEngine:
    """Returns SQLAlchemy's engine with at most `size` connections, opened when needed."""
    arguments: dict[str, object] = {"async_creator_fn": connector.connect}
    if not connector.prepared_statements:
        # Statements without a name last until the next one: a pooler need not remember them.
        arguments |= {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}
    engine = create_async_engine(
        "postgresql+asyncpg://",
        connect_args=arguments,
        pool_size=size,
        max_overflow=0,
        pool_timeout=connector.patience.connection,
        pool_use_lifo=True,
        # Errors then show the statement, without values that a user wrote.
        hide_parameters=True,
        json_deserializer=msgspec.json.decode,
    )
    event.listen(engine.sync_engine, "checkout", _refuse_unsound)
    event.listen(engine.sync_engine, "checkin", _note_heard)
    event.listen(engine.sync_engine, "handle_error", partial(_judge_error, connector.trust))
    return engine


def _refuse_unsound(connection: DBAPIConnection, *_: object) -> None:
    """Makes the pool replace a connection that was closed, or does not answer."""
    if not connection.run_async(Connection.is_sound):
        raise DisconnectionError


def _note_heard(connection: DBAPIConnection | None, *_: object) -> None:
    if connection is not None:
        connection.driver_connection.heard()


def _judge_error(trust: Trust, context: ExceptionContext) -> None:
    """Has a connection closed that did not answer, or leads to a read-only database."""
    error = context.original_exception
    if sqlstate(context.sqlalchemy_exception) == READ_ONLY:
        # Another server may have become the primary.
        trust.discard()
        context.is_disconnect = True
    elif isinstance(error, TimeoutError | RuntimeError):
        trust.doubt()
        context.is_disconnect = True
        # A slow connection is not dead: the others are checked before their next use.
        context.invalidate_pool_on_disconnect = False
        if isinstance(error, RuntimeError):
            raise _reset(error) from error


def _note_failure(attempt: asyncio.Task[Connection]) -> None:
    """Keeps the loop from logging a failure that nobody waits for any more."""
    if not attempt.cancelled():
        attempt.exception()


def _reset(error: RuntimeError) -> ConnectionResetError:
    """Converts the event loop's own error for a connection that was reset just before a write."""
    return ConnectionResetError(str(error))


@asynccontextmanager
async def open_pool(connector: Connector, size: int, seconds: float) -> AsyncGenerator[Pool, None]:
    """Opens a pool, and closes it at the end."""
    pool = Pool(connector, size, seconds)
    try:
        yield pool
    finally:
        pool.close()
