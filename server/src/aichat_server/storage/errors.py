"""What storage fails with: the one place where a driver's error becomes a public one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC
from uuid import UUID

import asyncpg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from aichat_server.domain.errors import AichatError, Reason
from aichat_server.domain.money import NanoUsd, to_decimal
from aichat_server.domain.quotas import QuotaRefusal

_UNAVAILABLE = (
    OSError,  # refused, reset, timed out, no such host
    PoolTimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,  # the connection was closed under us
    asyncpg.InternalClientError,  # or is just about to be: its last word has come, and its end has not
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


def over_quota(refusal: QuotaRefusal) -> AichatError:
    """A turn that could bring its organisation, member or key above a hard quota."""
    remaining = NanoUsd(max(0, refusal.limit - refusal.used))
    limit, used, left, needed = (_dollars(m) for m in (refusal.limit, refusal.used, remaining, refusal.needed))
    reset_time = refusal.resets_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    message = (
        f"of this {refusal.scope}'s {limit} USD for the {refusal.period} {left} USD are left, and the answer may cost "
        f"{needed} USD: ask for fewer max_output_tokens, or wait for running answers to end, or until {reset_time}"
    )
    metadata = {
        "scope": refusal.scope.value,
        "period": refusal.period.value,
        "limit": limit,
        "used": used,
        "remaining": left,
        "reset_time": reset_time,
    }
    subject = f"{refusal.scope}:{refusal.scope_id}"
    return AichatError(Reason.QUOTA_EXCEEDED, message, metadata=metadata, quota_subject=subject)


def quota_check_failed() -> AichatError:
    """The quotas could not be checked, and the server is set to refuse turns then."""
    message = "the quotas cannot be checked now; send the call again shortly"
    return AichatError(Reason.QUOTA_CHECK_FAILED, message, retry_after=1.0)


def _dollars(nano: NanoUsd) -> str:
    return f"{to_decimal(nano):f}"
