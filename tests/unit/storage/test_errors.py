"""Which failures mean that the database is away."""

from __future__ import annotations

import asyncpg
import pytest
from aichat_server.domain.errors import AichatError, Reason
from aichat_server.storage.errors import storage_errors


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
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_database_that_is_away_is_a_public_error_with_a_private_cause(error: Exception) -> None:
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
