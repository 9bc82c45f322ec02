"""Messages for others, such as a mail server or the payment provider, and when a delivery is retried."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import NewType
from uuid import UUID

from aichat_server.core.backoff import doubled

_FIRST_WAIT = timedelta(minutes=1)
_LONGEST_WAIT = timedelta(hours=1)


MessageKind = NewType("MessageKind", str)
"""What a message is about. The feature that adds the message names it; the name finds the delivery."""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A message to deliver. Its feature stores the content under the same id."""

    org_id: UUID
    id: UUID
    kind: MessageKind
    attempts: int
    """How many deliveries have failed."""


def wait_after(attempts: int) -> timedelta:
    """Returns the delay after that many failed attempts, at least one: it doubles each time, up to an hour."""
    return doubled(_FIRST_WAIT, _LONGEST_WAIT, attempts)
