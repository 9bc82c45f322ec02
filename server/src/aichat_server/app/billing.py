"""Billing, put together from the settings."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from pydantic import SecretStr

from aichat_server.billing.service.billing import Billing, Payments
from aichat_server.billing.service.cards import OrganizationCards
from aichat_server.billing.service.subscriptions import Subscriptions
from aichat_server.billing.service.webhooks import WebhookInbox
from aichat_server.core.database.database import Database
from aichat_server.core.money import from_decimal
from aichat_server.core.origins import ReturnPages, origins_of
from aichat_server.invoices.service.desk import InvoiceDesk
from aichat_server.invoices.service.proofs import InvoiceProofs
from aichat_server.payments.gateway.stripe_calls import StripeCalls, StripeConfig, open_stripe
from aichat_server.payments.gateway.stripe_customers import StripeCustomers
from aichat_server.payments.gateway.stripe_events import StripeWebhooks
from aichat_server.payments.gateway.stripe_invoices import StripeInvoices
from aichat_server.plans.service import PlanBook
from aichat_server.settings import Settings


@asynccontextmanager
async def open_payments(
    settings: Settings, database: Database, plans: PlanBook
) -> AsyncGenerator[Payments | None, None]:
    """The payment provider; None where no STRIPE_SECRET_KEY opens an account there."""
    if settings.stripe_secret_key is None:
        yield None
        return
    async with open_stripe(_stripe(settings.stripe_secret_key, settings)) as calls:
        yield build_payments(calls, database, plans, build_grace(settings))


def build_payments(calls: StripeCalls, database: Database, plans: PlanBook, grace: timedelta) -> Payments:
    """The payment provider that `calls` go to."""
    customers = StripeCustomers(calls)
    cards = OrganizationCards(database, customers)
    return Payments(customers, StripeInvoices(calls), Subscriptions(database, customers, plans, grace), cards)


def build_billing(settings: Settings, database: Database, plans: PlanBook, payments: Payments | None) -> Billing:
    """Billing as members see it."""
    allowed = origins_of(settings.return_origins or settings.cors_origins)
    pages = ReturnPages(allowed, loopback=settings.environment == "development")
    cap = from_decimal(settings.overage_cap_usd)
    return Billing(database, plans, payments, build_grace(settings), pages, cap)


def build_inbox(settings: Settings, database: Database) -> WebhookInbox:
    """Where webhooks come in; without a STRIPE_WEBHOOK_SECRET it takes none."""
    secret = settings.stripe_webhook_secret
    return WebhookInbox(database, StripeWebhooks(secret.get_secret_value()) if secret is not None else None)


def build_proofs(database: Database, payments: Payments | None) -> InvoiceProofs:
    """What proves invoices; without a payment provider, by the books alone."""
    return InvoiceProofs(database, payments.invoices if payments is not None else None)


@asynccontextmanager
async def open_desk(settings: Settings, database: Database) -> AsyncGenerator[InvoiceDesk, None]:
    """What operators look after invoices with; without a STRIPE_SECRET_KEY, for what needs no payment provider."""
    if settings.stripe_secret_key is None:
        yield InvoiceDesk(database, None)
        return
    async with open_stripe(_stripe(settings.stripe_secret_key, settings)) as calls:
        yield InvoiceDesk(database, StripeInvoices(calls))


def build_grace(settings: Settings) -> timedelta:
    """For how long a plan lasts that is not paid for."""
    return timedelta(days=settings.billing_grace_days)


def _stripe(key: SecretStr, settings: Settings) -> StripeConfig:
    return StripeConfig(key.get_secret_value(), settings.stripe_base_url)
