"""What storage fails with: the one place where a driver's error becomes a public one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from aichat_server.domain.errors import AichatError, Reason

_UNAVAILABLE = (
    OSError,  # refused, reset, timed out, no such host
    PoolTimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,  # the connection was closed under us
    asyncpg.OperatorInterventionError,  # shutting down, starting up
    asyncpg.InsufficientResourcesError,  # too many connections, disk full
    asyncpg.InvalidAuthorizationSpecificationError,
)


@contextmanager
def storage_errors() -> Iterator[None]:
    """Turns a database that cannot be reached into STORAGE_UNAVAILABLE; every other error goes on as it is."""
    try:
        yield
    except Exception as error:
        if not _is_unavailable(error):
            raise
        message = "the database cannot be reached; send the call again shortly"
        raise AichatError(Reason.STORAGE_UNAVAILABLE, message, retry_after=1.0) from error


def _is_unavailable(error: BaseException) -> bool:
    if isinstance(error, DBAPIError):
        # SQLAlchemy's error holds its adapter's, which was raised from the driver's.
        cause = error.orig.__cause__ if error.orig else None
        return error.connection_invalidated or (cause is not None and _is_unavailable(cause))
    # A ValueError of the driver's is a value that fits no parameter: a fault of ours.
    return isinstance(error, _UNAVAILABLE) and not isinstance(error, ValueError)


def conversation_not_found(conversation_id: UUID) -> AichatError:
    """The same for a conversation that does not exist and for another organisation's."""
    metadata = {"conversation_id": str(conversation_id)}
    return AichatError(Reason.CONVERSATION_NOT_FOUND, "no such conversation in this organisation", metadata=metadata)


def message_not_found(message_id: UUID) -> AichatError:
    """The same for a message that does not exist, another conversation's and another organisation's."""
    metadata = {"message_id": str(message_id)}
    return AichatError(Reason.MESSAGE_NOT_FOUND, "no such message in this conversation", metadata=metadata)
