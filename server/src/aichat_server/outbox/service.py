"""Sends the outbox's messages: each is stored together with its subject, and retried until it succeeds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import structlog

from aichat_server.core.database.database import Database
from aichat_server.core.database.session import Session
from aichat_server.core.errors import AichatError, Reason
from aichat_server.mail.domain import MailServerUnavailableError
from aichat_server.outbox.domain import MessageKind, OutboxMessage, wait_after
from aichat_server.outbox.storage import OutboxRepository, due_messages

_log = structlog.get_logger()

_BATCH = 100

Deliver = Callable[[UUID, UUID], Awaitable[bool]]
"""Delivers an organisation's message by its id. Returns False to be called again later."""


@dataclass(frozen=True, slots=True)
class Relayed:
    """The result of one run."""

    done: int = 0
    left: int = 0
    """Messages that are retried later."""

    def __str__(self) -> str:
        return f"{self.done} done, {self.left} left"


class _AwayError(Exception):
    """The payment provider cannot be reached: each message would wait for it, one after the other."""


class Outbox:
    """The messages of all organisations. If a process is killed while it sends one, another process retries it."""

    def __init__(self, database: Database, deliveries: Mapping[MessageKind, Deliver]) -> None:
        self._database = database
        self._deliveries = deliveries

    async def relay(self, now: datetime) -> Relayed:
        """Delivers what is due at `now`. A failed delivery is retried, each time after a longer delay.

        Raises MailServerUnavailableError if the mail server accepts no e-mail: all e-mails stay due, and other messages
        are delivered. If the payment provider is unreachable, its messages stay due, and others are delivered.
        """
        done = left = 0
        kinds, away = set(self._deliveries), None
        while batch := await self._due(now, kinds):
            for message in batch:
                try:
                    if await self._relay(message, now):
                        done += 1
                    else:
                        left += 1
                except MailServerUnavailableError as error:
                    kinds.discard(message.kind)
                    away = error
                    break
                except _AwayError:
                    left += 1
                    kinds.discard(message.kind)
                    break
        if away is not None:
            raise away
        return Relayed(done, left)

    async def _due(self, now: datetime, kinds: Collection[MessageKind]) -> Sequence[OutboxMessage]:
        async with self._database.platform_session() as session:
            return await due_messages(session, now, _BATCH, kinds)

    async def _relay(self, message: OutboxMessage, now: datetime) -> bool:
        deliver, away = self._deliveries[message.kind], False
        try:
            done = await deliver(message.org_id, message.id)
        except MailServerUnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 — one that cannot be handed over must not hold up the others
            _log.warning("message not handed over", message_id=str(message.id), kind=message.kind, error=repr(error))
            done, away = False, isinstance(error, AichatError) and error.reason is Reason.BILLING_UNAVAILABLE
        async with self._database.session(message.org_id) as session:
            if done:
                await OutboxRepository(session).remove(message.id)
            else:
                await OutboxRepository(session).postpone(message.id, now + wait_after(message.attempts + 1))
        if away:
            raise _AwayError
        return done


async def add_message(session: Session, kind: MessageKind, message_id: UUID) -> None:
    """Adds a message, which is due at once, in the transaction of the session."""
    await OutboxRepository(session).add(kind, message_id)


async def remove_message(session: Session, message_id: UUID) -> None:
    """Removes a message that needs no delivery any more."""
    await OutboxRepository(session).remove(message_id)
