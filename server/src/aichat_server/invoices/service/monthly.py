"""Monthly invoices: computed from the ledger, drafted at the payment provider, compared, and finalized.

Each step is stored before the next begins, and repeating one has no effect: requests carry names made of the
organisation, the month and the statement, and an object that already exists under such a name is reused.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import UUID, uuid4

import structlog

from aichat_server.billing.service.accounts import customer_of
from aichat_server.core.database.batches import Progress, at_once
from aichat_server.core.database.database import Database
from aichat_server.core.database.session import Session
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.periods import Month, month_of, parse_month
from aichat_server.identity.service.directory import organization_pages
from aichat_server.invoices.domain.invoices import AdjustmentKind, Invoice, InvoiceStage, Line, Statement
from aichat_server.invoices.domain.statements import MOST_ADJUSTMENTS, statement
from aichat_server.invoices.service.checks import hourly_difference, usage_lines
from aichat_server.invoices.service.collection import Collection
from aichat_server.invoices.service.stages import block
from aichat_server.invoices.service.steps import AtStripe
from aichat_server.invoices.storage.adjustments import AdjustmentRepository
from aichat_server.invoices.storage.invoices import InvoiceRepository
from aichat_server.invoices.storage.ledger import LedgerRepository
from aichat_server.payments.domain.provider import PaymentProvider
from aichat_server.usage.service.rollups import Rollups

_log = structlog.get_logger()

_BLOCKING = frozenset({Reason.BILLING_OBJECT_MISSING, Reason.BILLING_REQUEST_REJECTED, Reason.PAYMENT_DECLINED})
"""Errors of the payment provider that a retry does not fix."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """The state of an organisation's invoice after a run."""

    org_id: UUID
    stage: InvoiceStage | None
    """None: it has not begun."""
    total: int | None
    """In cents; None until it is known."""
    trouble: str | None = None
    """Why the invoice cannot advance, if so."""


class Invoices:
    """The invoices of all organisations."""

    def __init__(self, database: Database, provider: PaymentProvider | None) -> None:
        """`provider`: None leaves invoices at the stage "drafted" until there is one."""
        self._database = database
        self._stripe = provider.invoices if provider is not None else None
        self._collection = Collection(database, provider) if provider is not None else None
        self._rollups = Rollups(database)

    async def run(
        self, month: Month, now: datetime, *, dry_run: bool = False, progress: Progress | None = None
    ) -> tuple[Outcome, ...]:
        """Advances the month's invoice of every organisation as far as possible.

        Returns those with an amount due or a problem. May run twice, even concurrently; a failed invoice does not stop
        the others. With `progress` it continues an unfinished run. `dry_run` changes nothing and returns the expected
        amounts, even for a month that is not over. Raises REQUEST_INVALID if the month is not over,
        BILLING_NOT_CONFIGURED if the payment provider refuses our key.
        """
        if dry_run:
            pages = organization_pages(self._database, Progress())
            found = [await at_once(page, lambda org_id: self._preview(org_id, month)) async for page in pages]
            return tuple(one for page in found for one in page if one.total or one.trouble)
        if now < month.end:
            raise AichatError(Reason.REQUEST_INVALID, f"{month.name} is not over")
        outcomes = list[Outcome]()
        async for page in organization_pages(self._database, progress or Progress()):
            await at_once(page, lambda org_id: self._close(org_id, month))
            # Nothing can be booked into their month any more, so the last hours can be summed for good.
            await self._rollups.run(now)
            brought = await at_once(page, lambda org_id: self.bring_on(org_id, month))
            outcomes += [one for one in brought if one.total or one.trouble]
        return tuple(outcomes)

    async def run_last(self, now: datetime, progress: Progress | None = None) -> dict[str, int]:
        """Runs for the month before `now`, and checks unpaid invoices of any month; returns their number by stage."""
        outcomes = await self.run(_month_before(now), now, progress=progress)
        if self._collection is not None:
            await self._collection.look_at_all()
        return dict(Counter(str(one.stage or "waiting") for one in outcomes))

    async def preview_last(self, now: datetime) -> tuple[Outcome, ...]:
        """Returns what that run would do; changes nothing."""
        return await self.run(_month_before(now), now, dry_run=True)

    async def bring_on(self, org_id: UUID, month: Month) -> Outcome:
        """Advances one invoice of a closed month as far as possible."""
        trouble = None
        try:
            while (invoice := await self._find(org_id, month)) is not None:
                step = self._steps().get(invoice.stage)
                if step is None or not await self._try(step, invoice):
                    break
        except AichatError as error:
            if error.reason is Reason.BILLING_NOT_CONFIGURED:
                raise
            trouble = error.message
            _log.warning("invoice waits", organization=str(org_id), month=month.name, error=repr(error))
        except Exception as error:  # noqa: BLE001 — one that fails stops no other
            trouble = "it failed: see the log"
            _log.exception("invoice failed", organization=str(org_id), month=month.name, error=repr(error))
        if trouble is not None:
            return Outcome(org_id, None, None, trouble)
        if invoice is None:
            return Outcome(org_id, None, None, "its month is not closed: the database's clock is behind")
        return Outcome(org_id, invoice.stage, invoice.total, invoice.blocked_because)

    async def refresh(self, stripe_invoice_id: str) -> None:
        """Reads an invoice from the payment provider again, and stores its state.

        Ignores one that is not ours, or not final yet.
        """
        if self._stripe is None or self._collection is None:
            return
        state = await self._stripe.fetch(stripe_invoice_id)
        try:
            org_id, month = UUID(state.metadata["org_id"]), parse_month(state.metadata["month"])
        except (KeyError, ValueError):
            return
        invoice = await self._find(org_id, month)
        if invoice is not None and invoice.stripe_id == stripe_invoice_id:
            await self._collection.take(invoice, state)

    def _steps(self) -> Mapping[InvoiceStage, Callable[[Invoice], Awaitable[bool]]]:
        """Returns the action for each stage; an action returns whether to look at the invoice again."""
        steps = {InvoiceStage.CLOSED: self._draft}
        if self._stripe is not None and self._collection is not None:
            at_stripe = AtStripe(self._database, self._stripe)
            steps |= {
                InvoiceStage.DRAFTED: at_stripe.create,
                InvoiceStage.CREATED: at_stripe.push,
                InvoiceStage.PUSHED: at_stripe.compare,
                InvoiceStage.COMPARED: self._collection.ask,
                InvoiceStage.FINALIZED: self._collection.look,
            }
        return MappingProxyType(steps)

    async def _try(self, step: Callable[[Invoice], Awaitable[bool]], invoice: Invoice) -> bool:
        try:
            return await step(invoice)
        except AichatError as error:
            if error.reason not in _BLOCKING:
                raise
            async with self._database.session(invoice.org_id) as session:
                await block(session, invoice, error.message)
            return True

    async def _draft(self, invoice: Invoice) -> bool:
        """Computes the lines from the ledger; advances only if they agree with the hourly sums."""
        async with self._database.session(invoice.org_id) as session:
            found = await InvoiceRepository(session).find(invoice.month, lock=True)
            if found is None or found.stage is not InvoiceStage.CLOSED:
                return True
            hourly = await LedgerRepository(session).hourly_sums(invoice.month)
            if hourly.is_open:
                raise AichatError(Reason.STORAGE_UNAVAILABLE, "some of the month's hours are not summed yet")
            usage = await usage_lines(LedgerRepository(session), invoice.month)
            wrong = hourly_difference(usage, hourly)
            if wrong is not None:
                await block(session, invoice, wrong)
                return True
            customer = await customer_of(session)
            made = await _with_adjustments(session, usage, customer)
            to_ask = customer is not None and made.total > 0
            stage = InvoiceStage.DRAFTED if to_ask else InvoiceStage.SETTLED
            await InvoiceRepository(session).draft(invoice.month, made, stage, customer_id=customer)
            if made.carried:
                reason = f"credits that exceeded the invoice for {invoice.month.name}"
                await AdjustmentRepository(session).add(
                    uuid4(), AdjustmentKind.CARRIED, made.carried, reason=reason, actor="aichat", month=invoice.month
                )
        return True

    async def _preview(self, org_id: UUID, month: Month) -> Outcome:
        async with self._database.session(org_id) as session:
            invoice = await InvoiceRepository(session).find(month)
            if invoice is not None and invoice.total is not None:
                return Outcome(org_id, invoice.stage, invoice.total, invoice.blocked_because)
            usage = await usage_lines(LedgerRepository(session), month)
            hourly = await LedgerRepository(session).hourly_sums(month)
            made = await _with_adjustments(session, usage, await customer_of(session))
        trouble = None if hourly.is_open else hourly_difference(usage, hourly)
        return Outcome(org_id, invoice.stage if invoice else None, made.total, trouble)

    async def _close(self, org_id: UUID, month: Month) -> None:
        async with self._database.session(org_id) as session:
            if await InvoiceRepository(session).find(month) is None:
                await InvoiceRepository(session).close(month)

    async def _find(self, org_id: UUID, month: Month) -> Invoice | None:
        async with self._database.session(org_id) as session:
            return await InvoiceRepository(session).find(month)


def _month_before(now: datetime) -> Month:
    return month_of(month_of(now).start - timedelta(days=1))


async def _with_adjustments(session: Session, usage: tuple[Line, ...], customer: str | None) -> Statement:
    """Returns the statement with waiting adjustments; credits keep waiting if nothing is due, or nobody pays."""
    alone = statement(usage, ())
    if customer is None:
        return alone
    waiting = await AdjustmentRepository(session).waiting(MOST_ADJUSTMENTS)
    together = statement(usage, waiting)
    return together if alone.total or together.total else alone
