"""The payment provider that the settings name: the one place that knows which it is."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from aichat_server.payments.domain.provider import PaymentEvents, PaymentProvider
from aichat_server.payments.gateway.stripe_calls import StripeCalls, StripeConfig, open_stripe
from aichat_server.payments.gateway.stripe_customers import StripeCustomers
from aichat_server.payments.gateway.stripe_events import StripeWebhooks
from aichat_server.payments.gateway.stripe_invoices import StripeInvoices
from aichat_server.settings import Settings


@asynccontextmanager
async def open_provider(settings: Settings) -> AsyncGenerator[PaymentProvider | None, None]:
    """The payment provider; None where no STRIPE_SECRET_KEY opens an account there."""
    if settings.stripe_secret_key is None:
        yield None
        return
    config = StripeConfig(settings.stripe_secret_key.get_secret_value(), settings.stripe_base_url)
    async with open_stripe(config) as calls:
        yield at_stripe(calls)


def at_stripe(calls: StripeCalls) -> PaymentProvider:
    """Stripe as the payment provider."""
    return PaymentProvider(StripeCustomers(calls), StripeInvoices(calls))


def build_events(settings: Settings) -> PaymentEvents | None:
    """What verifies the provider's webhooks; None without a STRIPE_WEBHOOK_SECRET."""
    secret = settings.stripe_webhook_secret
    return StripeWebhooks(secret.get_secret_value()) if secret is not None else None
