"""The operators' actions on single invoices: show, restart, void, credit and refund."""

from __future__ import annotations

from uuid import UUID

from aichat_server.billing.domain import UnpaidInvoice
from aichat_server.billing.service.dunning import every_unpaid, unpaid_of
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NANO_PER_CENT, NanoUsd
from aichat_server.core.periods import Month
from aichat_server.invoices.domain.invoices import (
    REFUND,
    Adjustment,
    AdjustmentKind,
    Invoice,
    InvoiceStage,
    Line,
)
from aichat_server.invoices.service.monthly import Invoices, Outcome
from aichat_server.invoices.service.stages import restart, take_over
from aichat_server.invoices.storage.adjustments import AdjustmentRepository
from aichat_server.invoices.storage.invoices import InvoiceRepository
from aichat_server.outbox.service import add_message, remove_message
from aichat_server.payments.domain.provider import PaymentInvoices, PaymentProvider


class InvoiceDesk:
    """Each method raises REQUEST_INVALID if the invoice does not exist, or is at another stage."""

    def __init__(self, database: Database, provider: PaymentProvider | None) -> None:
        self.invoices = Invoices(database, provider)
        self._database = database
        self._stripe = provider.invoices if provider is not None else None

    async def show(self, org_id: UUID, month: Month) -> tuple[Invoice, tuple[Line, ...]]:
        """Returns an invoice and its lines."""
        async with self._database.session(org_id) as session:
            invoice = await InvoiceRepository(session).find(month)
            lines = await InvoiceRepository(session).lines(month)
        if invoice is None:
            raise AichatError(Reason.REQUEST_INVALID, f"{month.name} has no invoice")
        return invoice, lines

    async def unpaid(self) -> list[tuple[UUID, UnpaidInvoice]]:
        """Returns the unpaid invoices of all organisations, the oldest first."""
        org_ids = dict.fromkeys(org_id for org_id, _ in await every_unpaid(self._database))
        found = []
        for org_id in org_ids:
            async with self._database.session(org_id) as session:
                found += [(org_id, invoice) for invoice in await unpaid_of(session)]
        return sorted(found, key=lambda one: one[1].since)

    async def retry(self, org_id: UUID, month: Month) -> Outcome:
        """Restarts an invoice before it is final: deletes its draft and lines, and recomputes it from the ledger."""
        invoice, _ = await self.show(org_id, month)
        await restart(self._database, self._stripe, invoice)
        return await self.invoices.bring_on(org_id, month)

    async def void(self, org_id: UUID, month: Month) -> Invoice:
        """Voids a final, unpaid invoice. Its credits go to the next invoice."""
        invoice, _ = await self.show(org_id, month)
        if invoice.stage not in {InvoiceStage.FINALIZED, InvoiceStage.UNCOLLECTIBLE, InvoiceStage.VOID}:
            message = f"the invoice is {invoice.stage}: only a final, unpaid invoice can be voided"
            raise AichatError(Reason.REQUEST_INVALID, message)
        await take_over(self._database, invoice, await self._provider().void(invoice.stripe_id or ""))
        return (await self.show(org_id, month))[0]

    async def adjust(
        self, org_id: UUID, amount: NanoUsd, *, adjustment_id: UUID, reason: str, actor: str
    ) -> Adjustment:
        """Adds a credit, which is below 0, or a charge to the next invoice; once for each `adjustment_id`."""
        kind = AdjustmentKind.CREDIT if amount < 0 else AdjustmentKind.ADJUSTMENT
        async with self._database.session(org_id) as session:
            return await AdjustmentRepository(session).add(adjustment_id, kind, amount, reason=reason, actor=actor)

    async def refund(
        self, org_id: UUID, month: Month, cents: int, *, adjustment_id: UUID, reason: str, actor: str
    ) -> Adjustment:
        """Refunds part of a paid invoice; once for each `adjustment_id`.

        The refund is stored in our books and in the outbox before the money moves; if that fails now, a job retries it.
        """
        invoice, _ = await self.show(org_id, month)
        if invoice.stage is not InvoiceStage.PAID or cents <= 0:
            raise AichatError(Reason.REQUEST_INVALID, "only part of a paid invoice can be refunded")
        amount = NanoUsd(-cents * NANO_PER_CENT)
        async with self._database.session(org_id) as session:
            entry = await AdjustmentRepository(session).add(
                adjustment_id, AdjustmentKind.REFUND, amount, reason=reason, actor=actor, month=month
            )
            if await AdjustmentRepository(session).unpaid_refund(adjustment_id):
                await add_message(session, REFUND, adjustment_id)
        if entry.kind is not AdjustmentKind.REFUND or (entry.amount, entry.month) != (amount, month):
            raise AichatError(Reason.REQUEST_INVALID, "that id belongs to another adjustment")
        await self.carry_out_refund(org_id, adjustment_id)
        return entry

    async def carry_out_refund(self, org_id: UUID, adjustment_id: UUID) -> bool:
        """Pays out a refund that is in our books, unless that is done; returns True once it is.

        Fails as `StripeCalls.send` does.
        """
        async with self._database.session(org_id) as session:
            entry = await AdjustmentRepository(session).unpaid_refund(adjustment_id)
            invoice = await InvoiceRepository(session).find(entry.month) if entry and entry.month else None
        if entry is not None and invoice is not None:
            cents = -entry.amount // NANO_PER_CENT
            refund = await self._provider().refund(invoice.stripe_id or "", cents, name=str(adjustment_id))
            async with self._database.session(org_id) as session:
                await AdjustmentRepository(session).mark_refunded(adjustment_id, refund.id)
                await remove_message(session, adjustment_id)
        return True

    async def unpaid_refunds(self, org_id: UUID, month: Month) -> tuple[Adjustment, ...]:
        """Returns the refunds that are decided but not known to be paid out."""
        async with self._database.session(org_id) as session:
            return await AdjustmentRepository(session).unpaid_refunds(month)

    def _provider(self) -> PaymentInvoices:
        if self._stripe is None:
            raise AichatError(
                Reason.BILLING_NOT_CONFIGURED, "the payment provider is not configured: set STRIPE_SECRET_KEY"
            )
        return self._stripe
