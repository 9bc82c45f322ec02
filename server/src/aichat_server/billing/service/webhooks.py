"""Stripe's webhooks: each is stored once when it arrives, and processed by a job.

An event only says that something happened to an object. The object is read again, so it does not matter how late, in
which order and how often events arrive.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

import structlog

from aichat_server.billing.service.subscriptions import Subscriptions
from aichat_server.billing.storage.billing import BillingRepository, customers_organization
from aichat_server.billing.storage.stripe_events import StripeEventRepository
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.payments.domain.provider import PaymentCustomers, PaymentEvents, PaymentInvoices
from aichat_server.payments.domain.webhooks import (
    CLAIM,
    HANDLED,
    MAY_CHANGE_CARDS,
    MOST_ATTEMPTS,
    NOT_ITS_FAULT,
    ClaimedEvent,
    ParkedEvent,
    wait_after,
)

MOST_EVENTS = 1000
"""The most events that one run processes."""

_log = structlog.get_logger()


class InvoiceSync(Protocol):
    """Stores the state of invoices."""

    async def refresh(self, stripe_invoice_id: str) -> None:
        """Reads the invoice again and stores its state; ignores one that is not ours."""
        ...


class CardWatch(Protocol):
    """Charges what is due to the card that its organisation chose last."""

    async def look_at_cards(self, org_id: UUID) -> None:
        """Checks the organisation's cards, which may have changed."""
        ...


class WebhookInbox:
    """Receives webhooks."""

    def __init__(self, database: Database, webhooks: PaymentEvents | None) -> None:
        """`webhooks` is None without the secret that signs them."""
        self._database = database
        self._webhooks = webhooks

    async def receive(self, body: bytes, signature: str | None) -> None:
        """Stores the event of a webhook's `body`, which came with this `Stripe-Signature`.

        An event that is stored already, or of a type that needs no action, changes nothing. Raises WEBHOOK_INVALID if
        Stripe did not sign it in the last five minutes, BILLING_NOT_CONFIGURED without a secret.
        """
        if self._webhooks is None:
            raise AichatError(
                Reason.BILLING_NOT_CONFIGURED, "this server accepts no webhooks: it has no secret for them"
            )
        event = self._webhooks.verify(body, signature)
        if event.type in HANDLED:
            async with self._database.platform_session() as session:
                await StripeEventRepository(session).add(event)


class ParkedWebhooks:
    """Events whose processing was given up, for operators."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def list(self) -> list[ParkedEvent]:
        """Returns them, the newest first."""
        async with self._database.platform_session() as session:
            return [*await StripeEventRepository(session).list_parked()]

    async def release(self, event_id: str) -> bool:
        """Retries one; returns False if there is none with this id."""
        async with self._database.platform_session() as session:
            return await StripeEventRepository(session).release(event_id)


async def purge_webhooks(database: Database, before: datetime) -> int:
    """Deletes the events that were processed before then; returns their number."""
    async with database.platform_session() as session:
        return await StripeEventRepository(session).purge(before)


class _AwayError(Exception):
    """The payment provider is unreachable: each event would wait for it in turn."""


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Processes stored events."""

    database: Database
    customers: PaymentCustomers
    stripe_invoices: PaymentInvoices
    subscriptions: Subscriptions
    invoices: InvoiceSync
    cards: CardWatch

    async def process_pending(self, now: datetime) -> int:
        """Processes every event that is due at `now`; returns the number processed.

        A failed event is retried later, and given up after MOST_ATTEMPTS, unless the failure says nothing about the
        event. The run ends if the payment provider is unreachable: the other events stay due.
        """
        done = 0
        for _ in range(MOST_EVENTS):
            async with self.database.platform_session() as session:
                event = await StripeEventRepository(session).claim(now, now + CLAIM)
            if event is None:
                break
            try:
                done += await self._process(event, now)
            except _AwayError:
                break
        return done

    async def _process(self, event: ClaimedEvent, now: datetime) -> bool:
        if event.attempts > MOST_ATTEMPTS:
            # Each attempt ended without a result: the event itself may kill the worker.
            await self._fail(event, now, RuntimeError("no attempt ended with a result"))
            return False
        try:
            await self._act(event, now)
        except Exception as error:
            # An event that fails must not delay the others.
            await self._fail(event, now, error)
            if isinstance(error, AichatError) and error.reason is Reason.BILLING_UNAVAILABLE:
                raise _AwayError from error
            return False
        async with self.database.platform_session() as session:
            await StripeEventRepository(session).finish(event.event_id, now)
        return True

    async def _fail(self, event: ClaimedEvent, now: datetime, error: Exception) -> None:
        reason = error.reason if isinstance(error, AichatError) else None
        failure = reason.value if reason else type(error).__name__
        told = {"event_id": event.event_id, "type": event.type, "attempts": event.attempts, "failure": failure}
        async with self.database.platform_session() as session:
            events = StripeEventRepository(session)
            if event.attempts < MOST_ATTEMPTS or reason in NOT_ITS_FAULT:
                _log.warning("webhook failed, to be retried", **told, exc_info=error)
                # An outage, however long, leaves it at least one attempt.
                counted = min(event.attempts, MOST_ATTEMPTS - 1)
                await events.postpone(event.event_id, now + wait_after(event.attempts), failure, counted)
            else:
                _log.error("webhook given up", **told, exc_info=error)
                await events.park(event.event_id, now, failure)

    async def _act(self, event: ClaimedEvent, now: datetime) -> None:
        try:
            customer_id, invoice_id = await self._subject(event)
        except AichatError as error:
            if error.reason is not Reason.BILLING_OBJECT_MISSING:
                raise
            # The object was deleted, and needs no action any more.
            return
        org_id = await self._organization(customer_id)
        if org_id is None:
            return
        if event.type == "customer.deleted":
            await self._forget(org_id, event.object_id)
        if invoice_id is not None:
            await self.invoices.refresh(invoice_id)
        if event.type in MAY_CHANGE_CARDS:
            await self.cards.look_at_cards(org_id)
        await self.subscriptions.refresh(org_id, now)

    async def _subject(self, event: ClaimedEvent) -> tuple[str | None, str | None]:
        """Returns the customer and the invoice of the event's object in its current state."""
        kind, key = event.type.rpartition(".")[0], event.object_id
        match kind:
            case "checkout.session":
                return (await self.customers.fetch_checkout(key)).customer_id, None
            case "customer.subscription":
                return (await self.customers.fetch_subscription(key)).customer_id, None
            case "invoice":
                return (await self.stripe_invoices.fetch(key)).customer_id, key
            case "charge":
                charge = await self.stripe_invoices.fetch_charge(key)
                return charge.customer_id, charge.invoice_id
            case _:
                return key, None

    async def _organization(self, customer_id: str | None) -> UUID | None:
        if customer_id is None:
            return None
        async with self.database.platform_session() as session:
            return await customers_organization(session, customer_id)

    async def _forget(self, org_id: UUID, customer_id: str) -> None:
        if await self.customers.is_deleted(customer_id):
            async with self.database.session(org_id) as session:
                await BillingRepository(session).forget_customer(customer_id)
