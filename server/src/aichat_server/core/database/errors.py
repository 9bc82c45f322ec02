"""Maps storage failures: the only place where a driver's error becomes a public one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from aichat_server.core.errors import AichatError, Reason

_UNAVAILABLE = (
    OSError,  # refused, reset, timed out, no such host
    PoolTimeoutError,
    asyncpg.InterfaceError,  # the connection was closed under us
    asyncpg.InternalClientError,  # or about to be: its last message has arrived, but not its end
)
READ_ONLY = "25006"
_UNAVAILABLE_CODES = (
    "08",  # the connection failed
    "40",  # rolled back because of others: a deadlock, a serialization failure
    "53",  # too many connections, disk or memory full
    "57",  # shutting down, starting up, cancelled by its operator
    "58",  # its own files failed
    "XX",  # its own fault, or a pooler without free connections
    READ_ONLY,  # a replica, or a primary that fails over
    "25P03",  # it waited too long for us
    "25P04",
    "55P03",  # a lock took too long
)
"""SQLSTATEs of temporary failures, or their prefixes."""
_TOLD: Mapping[str, str] = MappingProxyType(
    {
        "28P01": "the database refuses the password of the server's role; the operator must correct its URL",
        "28000": "the database refuses the server's role; the operator must correct its URL, or let the role in",
        "3D000": "the database that the server's URL names does not exist; the operator must make it or correct that",
        "42501": "the server's role lacks a right in the database; the operator must let aichat_app serve, and the "
        "schema's owner migrate",
        READ_ONLY: "the database takes no writes now; send the call again shortly",
    }
)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turns an unavailable database into STORAGE_UNAVAILABLE; other errors pass unchanged."""
    try:
        yield
    except Exception as error:
        if (message := _unavailable(error)) is None:
            raise
        raise AichatError(Reason.STORAGE_UNAVAILABLE, message, retry_after=1.0) from error


def sqlstate(error: BaseException | None) -> str:
    """Returns the database's own code of the error; empty without one."""
    if isinstance(error, DBAPIError):
        # SQLAlchemy's error wraps its adapter's, which wraps the driver's.
        error = error.orig.__cause__ if error.orig else None
    return error.sqlstate or "" if isinstance(error, asyncpg.PostgresError) else ""


def _unavailable(error: BaseException) -> str | None:
    """Returns the message for callers; None if the error does not mean that the database is unavailable."""
    code = sqlstate(error)
    if code in _TOLD and not _is_row_security(error):
        return _TOLD[code]
    if code.startswith(_UNAVAILABLE_CODES) or (not code and _is_away(error)):
        return "the database cannot be reached; send the call again shortly"
    return None


def _is_row_security(error: BaseException) -> bool:
    """Row-level security uses the SQLSTATE of a missing right for what is a fault of ours."""
    return "row-level security" in str(error)


def _is_away(error: BaseException | None) -> bool:
    if isinstance(error, DBAPIError):
        return error.connection_invalidated or _is_away(error.orig.__cause__ if error.orig else None)
    # A ValueError of the driver is a value of the wrong type: a fault of ours.
    return isinstance(error, _UNAVAILABLE) and not isinstance(error, ValueError)
