"""An organisation's account at the payment provider, as other features use it within their own transaction."""

from __future__ import annotations

from aichat_server.billing.storage.billing import BillingRepository
from aichat_server.core.database.session import Session


async def customer_of(session: Session) -> str | None:
    """Returns who it is at the payment provider; None before the first checkout, and after a deletion there."""
    return await BillingRepository(session).customer_id()


async def look_again(session: Session) -> None:
    """Has it looked at which plan the organisation is on: what is being found out about that now may be old."""
    await BillingRepository(session).look_again()
