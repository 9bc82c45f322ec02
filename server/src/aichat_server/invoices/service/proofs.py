"""Verifies invoices line by line: recomputes them from the ledger, and compares with what was stored and charged."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from aichat_server.billing.service.billing import check_owner
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.core.periods import Month
from aichat_server.identity.domain.principals import Principal
from aichat_server.invoices.domain.invoices import Invoice, Line, LineKind
from aichat_server.invoices.service.checks import (
    books_difference,
    hourly_difference,
    is_same,
    sent_difference,
    usage_lines,
)
from aichat_server.invoices.storage.invoices import InvoiceRepository
from aichat_server.invoices.storage.ledger import LedgerRepository
from aichat_server.payments.domain.billing import InvoiceLine
from aichat_server.payments.domain.provider import PaymentProvider


@dataclass(frozen=True, slots=True)
class LineProof:
    """A line, and what it is compared with."""

    line: Line
    fresh: Line | None
    """The line as recomputed from the ledger; a line that is not usage is itself. None: the ledger has no such line."""
    sent: InvoiceLine | None
    """The payment provider's line; None: it has no such line, or was not asked."""
    is_proven: bool


@dataclass(frozen=True, slots=True)
class InvoiceProof:
    """An invoice, and whether it agrees with the ledger."""

    invoice: Invoice
    lines: tuple[LineProof, ...]
    books: NanoUsd
    """What the month's usage cost, by the ledger."""
    hourly: NanoUsd
    """The same by the hourly sums."""
    difference: str | None
    """What differs; None: nothing does."""


class InvoiceProofs:
    """Verifies invoices."""

    def __init__(self, database: Database, provider: PaymentProvider | None) -> None:
        self._database = database
        self._stripe = provider.invoices if provider is not None else None

    async def verify(self, principal: Principal, month: Month) -> InvoiceProof:
        """Verifies an invoice for one of the organisation's owners.

        Raises OWNER_REQUIRED for others, or fails as `prove`.
        """
        async with self._database.session(principal.org_id, principal.actor) as session:
            await check_owner(session, principal)
        return await self.prove(principal.org_id, month)

    async def prove(self, org_id: UUID, month: Month) -> InvoiceProof:
        """Recomputes the month's lines from the ledger; raises INVOICE_NOT_FOUND if the month has no invoice yet."""
        async with self._database.session(org_id) as session:
            invoice = await InvoiceRepository(session).find(month)
            if invoice is None or invoice.digest is None:
                message = f"{month.name} has no invoice yet: it is made once the month is over"
                raise AichatError(Reason.INVOICE_NOT_FOUND, message)
            lines = await InvoiceRepository(session).lines(month)
            fresh = await usage_lines(LedgerRepository(session), month)
            hourly = await LedgerRepository(session).hourly_sums(month)
        sent: tuple[InvoiceLine, ...] | None = None
        if self._stripe is not None and invoice.stripe_id is not None:
            sent = await self._stripe.fetch_lines(invoice.stripe_id)
        again = {line.number: line for line in fresh}
        provided = {line.metadata.get("line"): line for line in sent or ()}
        proofs = []
        for line in lines:
            made = again.get(line.number) if line.kind is LineKind.USAGE else line
            told = provided.get(str(line.number))
            proofs.append(LineProof(line, made, told, made == line and (sent is None or is_same(line, told))))
        difference = hourly_difference(fresh, hourly) or books_difference(lines, fresh)
        if difference is None and sent is not None:
            difference = sent_difference(lines, sent)
        cost = NanoUsd(sum(line.cost for line in fresh))
        return InvoiceProof(invoice, tuple(proofs), cost, hourly.cost, difference)
