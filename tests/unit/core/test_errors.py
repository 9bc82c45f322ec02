"""Which failures mean that the database is unreachable."""

from __future__ import annotations

import asyncpg
import pytest
from aichat_server.core.database.errors import storage_errors
from aichat_server.core.errors import AichatError, Reason
from sqlalchemy.exc import DBAPIError


def wrapped(error: Exception) -> DBAPIError:
    """Returns the driver's error as SQLAlchemy raises it."""
    adapters = Exception()
    adapters.__cause__ = error
    return DBAPIError("SELECT 1", None, adapters)


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (asyncpg.InvalidPasswordError('password authentication failed for user "aichat_app"'), "refuses the password"),
        (asyncpg.InvalidAuthorizationSpecificationError("no pg_hba.conf entry"), "refuses the server's role"),
        (asyncpg.InvalidCatalogNameError('database "nowhere" does not exist'), "does not exist"),
        (asyncpg.InsufficientPrivilegeError("permission denied for table messages"), "lacks a right"),
        (asyncpg.ReadOnlySQLTransactionError("cannot execute UPDATE"), "takes no writes"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_what_its_operator_must_fix_is_named(error: Exception, named: str) -> None:
    for raised in (error, wrapped(error)):
        with pytest.raises(AichatError, match=named) as caught, storage_errors():
            raise raised
        assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
        assert str(error) not in caught.value.message


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(111, "refused"),
        TimeoutError(),
        asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation"),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
        asyncpg.ReadOnlySQLTransactionError("cannot execute UPDATE in a read-only transaction"),
        asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
        asyncpg.DeadlockDetectedError("deadlock detected"),
        asyncpg.SerializationError("could not serialize access"),
        asyncpg.AdminShutdownError("terminating connection due to administrator command"),
        asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
        asyncpg.DiskFullError("could not extend file"),
        asyncpg.InternalServerError("MaxClientsInSessionMode: max clients reached"),
        wrapped(asyncpg.DeadlockDetectedError("deadlock detected")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_unreachable_database_is_a_public_error_with_a_private_cause(error: Exception) -> None:
    with pytest.raises(AichatError) as caught, storage_errors():
        raise error
    assert caught.value.reason is Reason.STORAGE_UNAVAILABLE
    assert caught.value.__cause__ is error
    assert str(error) not in caught.value.message or not str(error)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UniqueViolationError("duplicate key"),
        asyncpg.UndefinedTableError("no such table"),
        asyncpg.InsufficientPrivilegeError("new row violates row-level security policy for table messages"),
        asyncpg.DataError("invalid input for query argument $1"),
        AichatError(Reason.CONVERSATION_NOT_FOUND, "no such conversation"),
        KeyError("a fault of ours"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_other_failure_stays_what_it_is(error: Exception) -> None:
    with pytest.raises(type(error)) as caught, storage_errors():
        raise error
    assert caught.value is error
