"""The card that pays an organisation's subscription and usage: the one that it chose last."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

import structlog

from aichat_server.billing.storage.billing import BillingRepository
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.payments.domain.billing import PaymentMethodState
from aichat_server.payments.domain.provider import PaymentCustomers

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OrganizationCards:
    """Each method fails as `StripeCalls.send` does, and may run at any time, twice, or concurrently with itself."""

    database: Database
    customers: PaymentCustomers

    async def find(self, org_id: UUID) -> PaymentMethodState | None:
        """Returns the card that pays what is due; None if there is none. Changes nothing."""
        async with self.database.session(org_id) as session:
            billing = BillingRepository(session)
            account, subscription = await billing.account(), await billing.subscription()
        if account is None or account.customer_id is None:
            return None
        subscription_id = subscription.subscription_id if subscription else None
        return (await self.customers.cards(account.customer_id, subscription_id)).chosen(account.seen_card_id)

    async def settle(self, org_id: UUID) -> PaymentMethodState | None:
        """Returns the same card, and makes it pay the subscription as well.

        Stripe's portal only changes the customer's default, and Stripe would still charge the subscription's own card,
        which Checkout sets.
        """
        async with self.database.session(org_id) as session:
            billing = BillingRepository(session)
            account, subscription = await billing.account(), await billing.subscription()
        if account is None or account.customer_id is None:
            return None
        subscription_id = subscription.subscription_id if subscription else None
        cards = await self.customers.cards(account.customer_id, subscription_id)
        chosen = cards.chosen(account.seen_card_id)
        pays = subscription is not None and not subscription.has_ended
        if cards.has_changed(account.seen_card_id) and chosen and pays and chosen.id != cards.subscription_default:
            await self._repoint(subscription_id or "", chosen.id)
        if cards.customer_default != account.seen_card_id:
            async with self.database.session(org_id) as session:
                await BillingRepository(session).see_card(cards.customer_default)
        return chosen

    async def _repoint(self, subscription_id: str, card_id: str) -> None:
        try:
            await self.customers.set_subscription_card(subscription_id, card_id)
        except AichatError as error:
            if error.reason not in {Reason.BILLING_REQUEST_REJECTED, Reason.BILLING_OBJECT_MISSING}:
                raise
            # The subscription has ended, or the card no longer exists, and no event has reported it yet.
            _log.warning("subscription keeps its card", subscription_id=subscription_id, reason=error.reason)
