"""The stages of an invoice once it is final, and how to restart one before that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import uuid4

import structlog

from aichat_server.billing.service.dunning import note_unpaid, settle_unpaid
from aichat_server.core.database.database import Database
from aichat_server.core.database.session import Session
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.money import NanoUsd
from aichat_server.invoices.domain.invoices import ASKED_FOR, AdjustmentKind, Invoice, InvoiceStage, LineKind
from aichat_server.invoices.storage.adjustments import AdjustmentRepository
from aichat_server.invoices.storage.invoices import InvoiceRepository
from aichat_server.payments.domain.billing import InvoiceState, InvoiceStatus
from aichat_server.payments.domain.provider import PaymentInvoices

STAGES: Mapping[InvoiceStatus, InvoiceStage] = MappingProxyType(
    {
        InvoiceStatus.OPEN: InvoiceStage.FINALIZED,
        InvoiceStatus.PAID: InvoiceStage.PAID,
        InvoiceStatus.VOID: InvoiceStage.VOID,
        InvoiceStatus.UNCOLLECTIBLE: InvoiceStage.UNCOLLECTIBLE,
    }
)
_BEFORE: Mapping[InvoiceStage, frozenset[InvoiceStage]] = MappingProxyType(
    {
        InvoiceStage.COMPARED: ASKED_FOR,
        InvoiceStage.FINALIZED: ASKED_FOR,
        InvoiceStage.UNCOLLECTIBLE: frozenset({InvoiceStage.PAID, InvoiceStage.VOID, InvoiceStage.UNCOLLECTIBLE}),
        InvoiceStage.PAID: frozenset(),
        InvoiceStage.VOID: frozenset(),
    }
)
"""The possible changes of a final invoice's stage. A state that was read earlier and is stored later undoes nothing."""
_log = structlog.get_logger()

_COLLECTED_WITHIN = timedelta(days=1)
"""The payment provider tries to collect within an hour: an invoice still open after this long counts as unpaid."""
_ACTOR = "aichat"
_PAGE = 100


async def take_over(database: Database, invoice: Invoice, state: InvoiceState) -> bool:
    """Stores the invoice's state at the payment provider; returns whether it reached another stage.

    An unpaid invoice is recorded, and its organisation's owners are notified once. Credits and adjustments of a voided
    one go to the next invoice, once.
    """
    stage = STAGES.get(state.status)
    is_unpaid = _is_unpaid(state, await database.now())
    async with database.session(invoice.org_id) as session:
        found = await InvoiceRepository(session).find(invoice.month, lock=True)
        if found is None or stage is None or stage not in _BEFORE.get(found.stage, ()):
            return False
        await _keep_unpaid(session, invoice, state, is_unpaid=is_unpaid)
        if stage is found.stage:
            return False
        if stage is InvoiceStage.VOID:
            await _give_back(session, invoice, {LineKind.ADJUSTMENT, LineKind.CARRIED}, "the invoice is void")
        return await InvoiceRepository(session).move(invoice.month, {found.stage}, stage, number=state.number)


def _is_unpaid(state: InvoiceState, now: datetime) -> bool:
    if state.status is InvoiceStatus.OPEN:
        is_late = state.finalized_at is not None and state.finalized_at + _COLLECTED_WITHIN < now
        return state.is_attempted or is_late
    return state.status is InvoiceStatus.UNCOLLECTIBLE


async def _keep_unpaid(session: Session, invoice: Invoice, state: InvoiceState, *, is_unpaid: bool) -> None:
    if is_unpaid:
        if await note_unpaid(session, invoice.month):
            _log.warning("invoice not paid", organization=str(invoice.org_id), month=invoice.month.name)
    elif state.status is not InvoiceStatus.OPEN:
        await settle_unpaid(session, invoice.month)


async def restart(database: Database, stripe: PaymentInvoices | None, invoice: Invoice) -> None:
    """Undoes all steps of an invoice before it is final, and deletes its draft.

    Raises REQUEST_INVALID if it is final.
    """
    if invoice.stage in ASKED_FOR:
        message = (
            f"the invoice is {invoice.stage}: a final invoice can be voided, refunded or credited, but not restarted"
        )
        raise AichatError(Reason.REQUEST_INVALID, message)
    draft = invoice.stripe_id
    if stripe is not None:
        draft = draft or await find_draft(stripe, invoice)
        if draft is not None:
            await stripe.delete_draft(draft)
    elif draft is not None:
        message = "the draft at the payment provider cannot be deleted: set STRIPE_SECRET_KEY"
        raise AichatError(Reason.BILLING_NOT_CONFIGURED, message)
    async with database.session(invoice.org_id) as session:
        found = await InvoiceRepository(session).find(invoice.month, lock=True)
        if found != invoice:
            raise AichatError(Reason.REQUEST_INVALID, "the invoice has just changed: look at it again")
        # Credits wait again once they have no line; what was carried of them must not wait as well.
        await _give_back(session, invoice, {LineKind.CARRIED}, "the invoice is restarted")
        await InvoiceRepository(session).restart(invoice.month)


async def find_draft(stripe: PaymentInvoices, invoice: Invoice) -> str | None:
    """Returns the draft with the invoice's name, in case the reply about it was lost; None if there is none."""
    if invoice.customer_id is None:
        return None
    after = None
    while True:
        page = await stripe.list_page(invoice.customer_id, size=_PAGE, after=after)
        for one in page.invoices:
            if one.metadata.get("name") == invoice.name and one.status is InvoiceStatus.DRAFT:
                return one.id
            if one.created_at < invoice.month.start:
                return None
        if page.next_after is None:
            return None
        after = page.next_after


async def block(session: Session, invoice: Invoice, because: str) -> None:
    """Blocks an invoice until an operator has investigated."""
    invoices = InvoiceRepository(session)
    if await invoices.move(invoice.month, {invoice.stage}, InvoiceStage.BLOCKED, blocked_because=because):
        _log.error("invoice blocked", organization=str(invoice.org_id), month=invoice.month.name, because=because)


async def _give_back(session: Session, invoice: Invoice, kinds: set[LineKind], reason: str) -> None:
    lines = await InvoiceRepository(session).lines(invoice.month)
    amount = sum(line.cost for line in lines if line.kind in kinds)
    if amount:
        await AdjustmentRepository(session).add(
            uuid4(), AdjustmentKind.RETURNED, NanoUsd(amount), reason=reason, actor=_ACTOR, month=invoice.month
        )
