"""An organisation, and everything that bills it."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import stripe as sdk
from aichat_sandbox.postgres import Postgres
from aichat_sandbox.stripe.webhooks import SECRET, signature
from aichat_server.app.billing import build_payments
from aichat_server.app.jobs import build_webhooks
from aichat_server.app.payments import at_stripe
from aichat_server.billing.service.billing import Billing, Payments
from aichat_server.billing.service.webhooks import WebhookInbox, Webhooks
from aichat_server.billing.storage.billing import BillingRepository
from aichat_server.core.actor import Actor
from aichat_server.core.database.database import Database
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.invoices.service.monthly import Invoices
from aichat_server.payments.gateway.stripe_calls import StripeCalls
from aichat_server.payments.gateway.stripe_events import StripeWebhooks
from aichat_server.plans.domain import Plan
from aichat_server.plans.service import PlanBook

from tests.fixtures.rows import connection
from tests.fixtures.stripe import SECRET_KEY, Stripe

GRACE = timedelta(days=7)
DONE = "https://app.example/done"
LEFT = "https://app.example/left"
MONTH_SECONDS = 32 * 86_400

Event = dict[str, Any]


@dataclass
class Looked:
    """Records which invoices were to be checked, and has them checked."""

    invoices: Invoices
    refreshed: list[str] = field(default_factory=list)

    async def refresh(self, stripe_invoice_id: str) -> None:
        self.refreshed.append(stripe_invoice_id)
        await self.invoices.refresh(stripe_invoice_id)


@dataclass
class Desk:
    """An organisation's owner, everything that bills it, and Stripe."""

    owner: Principal
    database: Database
    postgres: Postgres
    stripe: Stripe
    sdk: sdk.StripeClient
    billing: Billing
    payments: Payments
    inbox: WebhookInbox
    webhooks: Webhooks
    invoices: Looked
    delivered: set[str] = field(default_factory=set)

    async def subscribe(self, plan: str = "pro", card: str = "pm_card_visa") -> str:
        """Subscribes on Stripe's page; returns the subscription's id. No webhook is delivered yet."""
        url = await self.billing.open_checkout(self.owner, plan, success_url=DONE, cancel_url=LEFT)
        session_id = url.rpartition("/")[2]
        await self.stripe.complete(session_id, card)
        session = await self.sdk.v1.checkout.sessions.retrieve_async(session_id)
        return str(session.subscription)

    async def customer_id(self) -> str:
        async with self.database.session(self.owner.org_id) as session:
            return await BillingRepository(session).customer_id() or ""

    async def plan(self) -> Plan:
        """Returns the plan whose limits apply."""
        async with self.database.session(self.owner.org_id) as session:
            return await OrganizationRepository(session).plan()

    async def events(self) -> list[Event]:
        """Returns Stripe's events about the organisation's customer, the oldest first."""
        answer = await self.stripe.http.get(
            "/v1/events", params={"limit": 100}, headers={"authorization": f"Bearer {SECRET_KEY}"}
        )
        customer = await self.customer_id()
        events: list[Event] = answer.raise_for_status().json()["data"]
        return [event for event in reversed(events) if customer and customer in json.dumps(event["data"]["object"])]

    async def deliver(self, events: Sequence[Event]) -> None:
        """Delivers the webhooks of these events, in this order."""
        for event in events:
            body = json.dumps(event).encode()
            await self.inbox.receive(body, signature(body, SECRET, int(time.time())))
            self.delivered.add(event["id"])

    async def hear(self) -> None:
        """Delivers the webhooks of all new events, and processes them."""
        await self.deliver([event for event in await self.events() if event["id"] not in self.delivered])
        await self.process()

    async def process(self, after: timedelta = timedelta(0)) -> int:
        """Processes what is due after this much time."""
        return await self.webhooks.process_pending(datetime.now(UTC) + after)

    async def stored(self) -> list[dict[str, Any]]:
        """Returns the delivered events, as stored."""
        async with connection(self.postgres.owner_url) as owner:
            rows = await owner.fetch(
                "SELECT * FROM aichat.stripe_events WHERE event_id = ANY($1) ORDER BY event_id", list(self.delivered)
            )
        return [dict(row) for row in rows]

    async def periods(self) -> list[tuple[str, datetime | None, datetime | None]]:
        """Returns the organisation's plans, with the start and end of each."""
        async with connection(self.postgres.owner_url) as owner:
            rows = await owner.fetch(
                "SELECT plan, starts_at, ends_at FROM aichat.plan_periods WHERE org_id = $1 ORDER BY starts_at",
                self.owner.org_id,
            )
        return [tuple(row) for row in rows]

    async def add_member(self, role: str = "member") -> Principal:
        """Adds a member."""
        member_id = uuid4()
        async with connection(self.postgres.owner_url) as owner:
            await owner.execute(
                "INSERT INTO aichat.members (org_id, member_id, role) VALUES ($1, $2, $3)",
                self.owner.org_id,
                member_id,
                role,
            )
        return Principal(self.owner.org_id, member_id)


async def open_desk(
    database: Database,
    postgres: Postgres,
    plans: PlanBook,
    stripe: Stripe,
    stripe_sdk: sdk.StripeClient,
    stripe_calls: StripeCalls,
) -> Desk:
    """Returns the desk of a new organisation on Free."""
    org_id, member_id = uuid4(), uuid4()
    async with database.session(org_id, Actor.member(member_id)) as session:
        await OrganizationRepository(session).ensure_personal(member_id, "ada@example.com")
    payments = build_payments(at_stripe(stripe_calls), database, plans, GRACE)
    invoices = Looked(Invoices(database, payments))
    return Desk(
        owner=Principal(org_id, member_id),
        database=database,
        postgres=postgres,
        stripe=stripe,
        sdk=stripe_sdk,
        billing=Billing(database, plans, payments, GRACE),
        payments=payments,
        inbox=WebhookInbox(database, StripeWebhooks(SECRET)),
        webhooks=build_webhooks(database, payments, invoices),
        invoices=invoices,
    )
