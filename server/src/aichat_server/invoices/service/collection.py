"""Collects invoices until they are paid, from the card that their organisation chose last."""

from __future__ import annotations

from uuid import UUID

import structlog

from aichat_server.billing.service.cards import OrganizationCards
from aichat_server.billing.service.dunning import every_unpaid, unpaid_of
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.periods import Month
from aichat_server.invoices.domain.invoices import Invoice
from aichat_server.invoices.service.stages import take_over
from aichat_server.invoices.storage.invoices import InvoiceRepository
from aichat_server.payments.domain.billing import InvoiceState, InvoiceStatus
from aichat_server.payments.domain.provider import PaymentProvider

_log = structlog.get_logger()

_TOO_LATE = frozenset({Reason.BILLING_REQUEST_REJECTED, Reason.BILLING_OBJECT_MISSING})
"""It was collected already, or the card no longer exists: the next look shows the result."""


class Collection:
    """Each method fails as `StripeCalls.send` does, and may run at any time, twice, or concurrently with itself."""

    def __init__(self, database: Database, provider: PaymentProvider) -> None:
        self._database = database
        self._stripe = provider.invoices
        self._cards = OrganizationCards(database, provider.customers)

    async def ask(self, invoice: Invoice) -> bool:
        """Finalizes a draft and requests payment; returns whether the invoice reached another stage.

        Stripe would charge an invoice without a card to the customer's default, which Checkout does not set. The card
        is set at the last moment, since the draft may be days old.
        """
        invoice_id = invoice.stripe_id or ""
        card = await self._cards.settle(invoice.org_id)
        if card is not None:
            try:
                await self._stripe.set_card(invoice_id, card.id)
            except AichatError as error:
                if error.reason not in _TOO_LATE:
                    raise
        return await take_over(self._database, invoice, await self._stripe.finalize(invoice_id))

    async def look(self, invoice: Invoice) -> bool:
        """Checks whether it was paid; returns whether the invoice reached another stage."""
        return await self.take(invoice, await self._stripe.fetch(invoice.stripe_id or ""))

    async def take(self, invoice: Invoice, state: InvoiceState) -> bool:
        """Stores the invoice's state at the payment provider; first charges a card that was chosen since it failed."""
        if state.status is InvoiceStatus.OPEN and state.is_attempted:
            card = await self._cards.settle(invoice.org_id)
            if card is not None and card.id != state.card_id:
                state = await self._stripe.pay(state.id, card.id)
        return await take_over(self._database, invoice, state)

    async def look_at_cards(self, org_id: UUID) -> None:
        """Charges what is due to the card that the organisation chose last, because its cards may have changed."""
        await self._cards.settle(org_id)
        async with self._database.session(org_id) as session:
            months = [one.month for one in await unpaid_of(session)]
        for month in months:
            await self._look(org_id, month)

    async def look_at_all(self) -> int:
        """Checks every unpaid invoice; returns how many there were."""
        unpaid = await every_unpaid(self._database)
        for org_id, month in unpaid:
            try:
                await self._look(org_id, month)
            except AichatError as error:
                if error.reason is Reason.BILLING_NOT_CONFIGURED:
                    raise
                # The next run checks it again. A failure must not delay the others.
                _log.warning("unpaid invoice not checked", organization=str(org_id), reason=error.reason)
        return len(unpaid)

    async def _look(self, org_id: UUID, month: Month) -> None:
        async with self._database.session(org_id) as session:
            invoice = await InvoiceRepository(session).find(month)
        if invoice is not None:
            await self.look(invoice)
