"""An organisation's account at the payment provider, used by other features in their own transactions."""

from __future__ import annotations

from aichat_server.billing.storage.billing import BillingRepository
from aichat_server.core.database.session import Session


async def customer_of(session: Session) -> str | None:
    """Returns its customer id at the payment provider; None before the first checkout, and after a deletion there."""
    return await BillingRepository(session).customer_id()


async def look_again(session: Session) -> None:
    """Has the organisation's plan checked again: a check that is running now may use old data."""
    await BillingRepository(session).look_again()
