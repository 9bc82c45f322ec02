"""Unpaid invoices for usage: each is recorded, and the organisation's owners are notified once."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from aichat_server.billing.domain import UNPAID_INVOICE, UnpaidInvoice, UnpaidNotice
from aichat_server.billing.service.accounts import look_again
from aichat_server.billing.storage.unpaid import UnpaidRepository, list_unpaid
from aichat_server.core.database.database import Database
from aichat_server.core.database.session import Session
from aichat_server.core.periods import Month
from aichat_server.identity.service.directory import Directory
from aichat_server.outbox.service import add_message


async def note_unpaid(session: Session, month: Month) -> bool:
    """Records that the month's invoice is unpaid, and notifies the owners; returns False if that was recorded.

    The organisation's plan depends on it, and is checked again.
    """
    unpaid = UnpaidRepository(session)
    if not await unpaid.note(month):
        return False
    for notice_id in await unpaid.tell(month, await Directory(session).owners_to_tell()):
        await add_message(session, UNPAID_INVOICE, notice_id)
    await look_again(session)
    return True


async def settle_unpaid(session: Session, month: Month) -> None:
    """Records that nothing is due for the month any more; the organisation's plan is checked again."""
    if await UnpaidRepository(session).settle(month):
        await look_again(session)


async def unpaid_of(session: Session) -> tuple[UnpaidInvoice, ...]:
    """Returns the organisation's unpaid invoices, the oldest first."""
    return await UnpaidRepository(session).list()


async def unpaid_since(session: Session) -> datetime | None:
    """Returns the moment since which an unpaid amount is due; None if nothing is."""
    return await UnpaidRepository(session).since()


async def unpaid_notice(session: Session, notice_id: UUID) -> UnpaidNotice | None:
    """Returns a notice's recipient and content; None if it is no longer needed."""
    return await UnpaidRepository(session).notice(notice_id)


async def every_unpaid(database: Database) -> tuple[tuple[UUID, Month], ...]:
    """Returns the unpaid invoices of all organisations, the oldest first: organisation and month."""
    async with database.platform_session() as session:
        return await list_unpaid(session)
