"""The steps of an invoice at the payment provider: create a draft, add the lines, compare."""

from __future__ import annotations

from dataclasses import dataclass

from aichat_server.core.database.database import Database
from aichat_server.core.periods import Month
from aichat_server.invoices.domain.invoices import Invoice, InvoiceStage, Line
from aichat_server.invoices.service.checks import (
    CURRENCY,
    books_difference,
    hourly_difference,
    metadata_of,
    sent_difference,
    usage_lines,
)
from aichat_server.invoices.service.stages import block, find_draft
from aichat_server.invoices.storage.invoices import InvoiceRepository
from aichat_server.invoices.storage.ledger import LedgerRepository
from aichat_server.payments.domain.billing import InvoiceItem
from aichat_server.payments.domain.provider import PaymentInvoices


@dataclass(frozen=True, slots=True)
class AtStripe:
    """Each step returns whether to look at the invoice again, and may be repeated at any time."""

    database: Database
    stripe: PaymentInvoices

    async def create(self, invoice: Invoice) -> bool:
        """Creates the draft, or reuses the existing one."""
        draft = await find_draft(self.stripe, invoice)
        if draft is None:
            month = invoice.month.name
            metadata = {"name": invoice.name, "org_id": str(invoice.org_id), "month": month}
            metadata["sha256"] = invoice.digest or ""
            made = await self.stripe.create_draft(
                invoice.customer_id or "",
                CURRENCY,
                description=f"Usage in {month}",
                metadata=metadata,
                key=invoice.name,
            )
            draft = made.id
        return await self._move(invoice, InvoiceStage.CREATED, stripe_invoice_id=draft)

    async def push(self, invoice: Invoice) -> bool:
        """Adds the missing lines to the draft."""
        draft = invoice.stripe_id or ""
        there = {line.metadata.get("line") for line in await self.stripe.fetch_lines(draft)}
        for line in await self._lines(invoice):
            if str(line.number) not in there:
                await self.stripe.add_item(
                    invoice.customer_id or "",
                    _item(line, invoice.month),
                    invoice_id=draft,
                    key=f"{invoice.name}:{line.number}",
                )
        return await self._move(invoice, InvoiceStage.PUSHED)

    async def compare(self, invoice: Invoice) -> bool:
        """Recomputes the lines, and compares them with the stored lines, the hourly sums and the draft."""
        sent = await self.stripe.fetch_lines(invoice.stripe_id or "")
        state = await self.stripe.fetch(invoice.stripe_id or "")
        async with self.database.session(invoice.org_id) as session:
            fresh = await usage_lines(LedgerRepository(session), invoice.month)
            hourly = await LedgerRepository(session).hourly_sums(invoice.month)
            lines = await InvoiceRepository(session).lines(invoice.month)
            wrong = hourly_difference(fresh, hourly) or books_difference(lines, fresh) or sent_difference(lines, sent)
            if wrong is None and (state.total, state.customer_id) != (invoice.total, invoice.customer_id):
                wrong = f"the draft's total is {state.total} cents, the lines' {invoice.total}"
            if wrong is not None:
                await block(session, invoice, wrong)
                return True
            await InvoiceRepository(session).move(invoice.month, {invoice.stage}, InvoiceStage.COMPARED)
        return True

    async def _lines(self, invoice: Invoice) -> tuple[Line, ...]:
        async with self.database.session(invoice.org_id) as session:
            return await InvoiceRepository(session).lines(invoice.month)

    async def _move(self, invoice: Invoice, stage: InvoiceStage, **values: object) -> bool:
        async with self.database.session(invoice.org_id) as session:
            await InvoiceRepository(session).move(invoice.month, {invoice.stage}, stage, **values)
        return True


def _item(line: Line, month: Month) -> InvoiceItem:
    return InvoiceItem(line.cents, CURRENCY, line.description, month.start, month.end, metadata_of(line))
