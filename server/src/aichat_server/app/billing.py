"""Builds billing from the settings."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from aichat_server.app.payments import build_events, open_provider
from aichat_server.billing.service.billing import Billing, Payments
from aichat_server.billing.service.cards import OrganizationCards
from aichat_server.billing.service.subscriptions import Subscriptions
from aichat_server.billing.service.webhooks import WebhookInbox
from aichat_server.core.database.database import Database
from aichat_server.core.money import from_decimal
from aichat_server.core.origins import ReturnPages, origins_of
from aichat_server.invoices.service.desk import InvoiceDesk
from aichat_server.invoices.service.proofs import InvoiceProofs
from aichat_server.payments.domain.provider import PaymentProvider
from aichat_server.plans.service import PlanBook
from aichat_server.settings import Settings


@asynccontextmanager
async def open_payments(
    settings: Settings, database: Database, plans: PlanBook
) -> AsyncGenerator[Payments | None, None]:
    """Opens the payment provider and what uses it; None without an account."""
    async with open_provider(settings) as provider:
        yield build_payments(provider, database, plans, build_grace(settings)) if provider is not None else None


def build_payments(provider: PaymentProvider, database: Database, plans: PlanBook, grace: timedelta) -> Payments:
    """Builds what uses a payment provider."""
    cards = OrganizationCards(database, provider.customers)
    subscriptions = Subscriptions(database, provider.customers, plans, grace)
    return Payments(provider.customers, provider.invoices, subscriptions, cards)


def build_billing(settings: Settings, database: Database, plans: PlanBook, payments: Payments | None) -> Billing:
    """Builds billing for members."""
    allowed = origins_of(settings.return_origins or settings.cors_origins)
    pages = ReturnPages(allowed, loopback=settings.environment == "development")
    cap = from_decimal(settings.overage_cap_usd)
    return Billing(database, plans, payments, build_grace(settings), pages, cap)


def build_inbox(settings: Settings, database: Database) -> WebhookInbox:
    """Builds the receiver of webhooks; without a secret to verify them it accepts none."""
    return WebhookInbox(database, build_events(settings))


def build_proofs(database: Database, provider: PaymentProvider | None) -> InvoiceProofs:
    """Builds the verifier of invoices; without a payment provider it uses only the ledger."""
    return InvoiceProofs(database, provider)


@asynccontextmanager
async def open_desk(settings: Settings, database: Database) -> AsyncGenerator[InvoiceDesk, None]:
    """Opens the operators' tool for invoices; without a payment provider, for what needs none."""
    async with open_provider(settings) as provider:
        yield InvoiceDesk(database, provider)


def build_grace(settings: Settings) -> timedelta:
    """Returns how long a plan lasts without payment."""
    return timedelta(days=settings.billing_grace_days)
