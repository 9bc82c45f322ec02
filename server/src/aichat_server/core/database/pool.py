"""Connections to Postgres: one way to make them, two ways to pool them."""

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
"""The longest that making a connection takes; it takes four round trips."""
FIRST_SECONDS = 4.5
"""What may be asked twice is asked again when its first answer takes longer: two round trips, however slow they are."""
SECOND_SECONDS = 1.0
"""So much longer than others such a call takes at most."""


@dataclass(frozen=True, slots=True)
class Patience:
    """For how many seconds one waits for the database at most."""

    connection: float
    """For a connection."""
    answer: float
    """For the answer to a statement. A connection that gives none is closed."""


CALLS = Patience(connection=5.0, answer=5.0)
"""Of whoever answers calls."""
JOBS = Patience(connection=10.0, answer=35.0)
"""Of what nobody waits for, and may read much."""


class Connector:
    """Makes connections to one database."""

    def __init__(self, url: str, *, prepared_statements: bool, patience: Patience = CALLS) -> None:
        """`prepared_statements`: False behind a pooler that hands out connections by transaction."""
        self.prepared_statements = prepared_statements
        self.patience = patience
        self.trust = Trust()
        self._url = url
        # Attempts whose callers have given up; some are still being made.
        self._late: list[asyncio.Task[Connection]] = []

    async def connect(self) -> Connection:
        """A new connection. One that comes too late for its caller is there for the next."""
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
    """At most `size` connections for statements that are a transaction each, and leave nothing on their connection."""

    def __init__(self, connector: Connector, size: int, seconds: float) -> None:
        """`seconds`: for how long a call waits for a sign of life, be it a connection or the answer."""
        self._connector = connector
        self._seconds = seconds
        self._places = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._closed = False

    async def fetchrow(self, query: str, *arguments: object) -> asyncpg.Record:
        """The one row that `query` gives."""
        with storage_errors():
            async with asyncio.timeout(self._seconds) as patience, self._places:
                row = await self._fetchrow(await self._take(patience), query, arguments)
        return _there(row, query)

    async def fetchrow_again(self, query: str, *arguments: object) -> asyncpg.Record:
        """As `fetchrow`, for what changes nothing when it is asked twice: where the first connection does not answer,
        or breaks, a new one is asked.
        """
        with storage_errors():
            async with asyncio.timeout(self._seconds) as patience, self._places:
                try:
                    with storage_errors():
                        connection = await self._take(patience)
                        async with asyncio.timeout(FIRST_SECONDS):
                            row = await self._fetchrow(connection, query, arguments)
                except AichatError:
                    patience.reschedule((patience.when() or 0.0) + SECOND_SECONDS)
                    # Others that were open may be as dead.
                    row = await self._fetchrow(await self._connector.connect(), query, arguments)
        return _there(row, query)

    async def _fetchrow(
        self, connection: Connection, query: str, arguments: tuple[object, ...]
    ) -> asyncpg.Record | None:
        try:
            row = await connection.fetchrow(query, *arguments)
        except asyncpg.ReadOnlySQLTransactionError:
            # Another one may have become the primary: new connections find it.
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
        # What has just shown that it is alive may be slow.
        patience.reschedule(max(patience.when() or 0.0, connection.heard_at + self._seconds))
        return connection

    async def _sound(self) -> Connection:
        while self._idle:
            # The one that was used last: it is the likeliest to be alive, and to need no question.
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
        """Closes the connections; what is asked on one of them is still answered."""
        self._closed = True
        while self._idle:
            self._idle.pop().terminate()


def _there(row: asyncpg.Record | None, query: str) -> asyncpg.Record:
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
        pool_timeout=connector.patience.connection,
        pool_use_lifo=True,
        # Errors name the statement, and not what a user wrote.
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
    """Has a connection closed that did not answer, or leads to a database that takes no writes."""
    error = context.original_exception
    if sqlstate(context.sqlalchemy_exception) == READ_ONLY:
        # Another one may have become the primary.
        trust.discard()
        context.is_disconnect = True
    elif isinstance(error, TimeoutError | RuntimeError):
        trust.doubt()
        context.is_disconnect = True
        # What is slow is not dead: the others show it before they are used again.
        context.invalidate_pool_on_disconnect = False
        if isinstance(error, RuntimeError):
            raise _reset(error) from error


def _note_failure(attempt: asyncio.Task[Connection]) -> None:
    """Keeps the loop from logging what nobody waits for any more."""
    if not attempt.cancelled():
        attempt.exception()


def _reset(error: RuntimeError) -> ConnectionResetError:
    """The event loop's word for a connection that was reset just before it was written to."""
    return ConnectionResetError(str(error))


@asynccontextmanager
async def open_pool(connector: Connector, size: int, seconds: float) -> AsyncGenerator[Pool, None]:
    """A pool that is closed at the end."""
    pool = Pool(connector, size, seconds)
    try:
        yield pool
    finally:
        pool.close()
