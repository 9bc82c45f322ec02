"""Organisations with a month of usage, and their invoices."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import stripe as sdk
from aichat_sandbox.postgres import Postgres
from aichat_server.app.billing import build_payments
from aichat_server.billing.service.billing import Billing
from aichat_server.billing.storage.billing import BillingRepository
from aichat_server.core.database.database import Database
from aichat_server.core.periods import Month, month
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.invoices.domain.invoices import Invoice, Line
from aichat_server.invoices.service.desk import InvoiceDesk
from aichat_server.invoices.service.monthly import Invoices, Outcome
from aichat_server.invoices.storage.invoices import InvoiceRepository
from aichat_server.payments.domain.provider import PaymentProvider
from aichat_server.plans.domain import Plan
from aichat_server.plans.service import PlanBook, StoredPlans
from aichat_server.usage.service.rollups import Rollups

from tests.fixtures.rows import connection
from tests.fixtures.stripe import Stripe
from tests.integration.usage.books import Entry, add

MARCH = month(2024, 3)
NOW = datetime(2035, 1, 1, tzinfo=UTC)
USD = 1_000_000_000
GRACE = timedelta(days=7)
ELSEWHERE = "https://app.example/billing"
EVENTS = "SELECT * FROM aichat.usage_events WHERE org_id = $1 ORDER BY occurred_at, generation_id"


@dataclass(frozen=True)
class Shop:
    """One organisation, and how it is invoiced."""

    postgres: Postgres
    database: Database
    stripe: PaymentProvider | None
    client: sdk.StripeClient
    pages: Stripe
    principal: Principal
    customer: str | None = None
    invoices: Invoices = field(init=False)
    desk: InvoiceDesk = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "invoices", Invoices(self.database, self.stripe))
        object.__setattr__(self, "desk", InvoiceDesk(self.database, self.stripe))

    @property
    def org_id(self) -> UUID:
        return self.principal.org_id

    async def use(self, *entries: Entry) -> None:
        """Adds entries to the ledger."""
        await add(self.postgres, self.principal, *entries)

    async def close(self, of: Month = MARCH) -> None:
        """Closes the month's books, and sums its hours."""
        async with self.database.session(self.org_id) as session:
            assert await InvoiceRepository(session).close(of)
        await Rollups(self.database).run(NOW)

    async def bring_on(self, of: Month = MARCH) -> Outcome:
        """Advances the month's invoice."""
        await self.close(of)
        return await self.invoices.bring_on(self.org_id, of)

    async def invoice(self, of: Month = MARCH) -> tuple[Invoice, tuple[Line, ...]]:
        return await self.desk.show(self.org_id, of)

    async def at_stripe(self) -> list[sdk.Invoice]:
        """Returns the customer's invoices except those for the subscription, the oldest first."""
        assert self.customer
        page = await self.client.v1.invoices.list_async({"customer": self.customer, "limit": 100})
        return [invoice for invoice in page.data[::-1] if invoice.billing_reason == "manual"]

    async def another(self, card: str | None = "pm_card_visa") -> Shop:
        """Returns another organisation; `card`: see `open_shop`."""
        return await open_shop(self.postgres, self.database, self.stripe, self.client, self.pages, card=card)

    async def rows(self, query: str = EVENTS) -> list[asyncpg.Record]:
        """Returns the rows of a query as the owner."""
        async with connection(self.postgres.owner_url) as owner:
            return await owner.fetch(query, self.org_id)


async def open_shop(
    postgres: Postgres,
    database: Database,
    stripe: PaymentProvider | None,
    client: sdk.StripeClient,
    pages: Stripe,
    *,
    card: str | None = "pm_card_visa",
) -> Shop:
    """Returns a new organisation that has always been on the plan Pro.

    `card`: the card of its subscription on Stripe's page; None: it has no subscription, and is no customer.
    """
    principal = Principal(uuid4(), uuid4())
    async with database.session(principal.org_id, principal.actor) as session:
        await OrganizationRepository(session).ensure("Test", principal.member_id)
        await OrganizationRepository(session).set_plan(Plan.PRO, datetime(2020, 1, 1, tzinfo=UTC))
    customer = None
    if card is not None and stripe is not None:
        plans = PlanBook(StoredPlans(database))
        await plans.refresh()
        payments = build_payments(stripe, database, plans, GRACE)
        billing = Billing(database, plans, payments, GRACE)
        url = await billing.open_checkout(principal, Plan.PRO, success_url=ELSEWHERE, cancel_url=ELSEWHERE)
        await pages.complete(url.rpartition("/")[2], card)
        await payments.subscriptions.refresh(principal.org_id, datetime.now(UTC))
        async with database.session(principal.org_id) as session:
            customer = await BillingRepository(session).customer_id()
    return Shop(postgres, database, stripe, client, pages, principal, customer)
