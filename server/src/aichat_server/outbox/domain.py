"""What is to be handed to somebody else, such as a mail server or the payment provider: when it is tried again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import NewType
from uuid import UUID

from aichat_server.core.backoff import doubled

_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(hours=1)


MessageKind = NewType("MessageKind", str)
"""What a message is about: a name that the feature which adds it gives it, and by which its delivery is found."""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One thing to hand over; what it says is stored where it belongs, under its id."""

    org_id: UUID
    id: UUID
    kind: MessageKind
    attempts: int
    """Those that there were."""


def wait_after(attempts: int) -> timedelta:
    """How long to wait when so many attempts, at least one, have failed: each time twice as long, up to an hour."""
    return doubled(_FIRST_WAIT, _LONGEST_WAIT, attempts)
