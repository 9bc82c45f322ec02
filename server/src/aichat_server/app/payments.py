"""Opens the settings' payment provider: the only module that knows which it is."""

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
    """Opens the payment provider; None without STRIPE_SECRET_KEY."""
    if settings.stripe_secret_key is None:
        yield None
        return
    config = StripeConfig(settings.stripe_secret_key.get_secret_value(), settings.stripe_base_url)
    async with open_stripe(config) as calls:
        yield at_stripe(calls)


def at_stripe(calls: StripeCalls) -> PaymentProvider:
    """Returns Stripe as the payment provider."""
    return PaymentProvider(StripeCustomers(calls), StripeInvoices(calls))


def build_events(settings: Settings) -> PaymentEvents | None:
    """Returns the verifier of the provider's webhooks; None without STRIPE_WEBHOOK_SECRET."""
    secret = settings.stripe_webhook_secret
    return StripeWebhooks(secret.get_secret_value()) if secret is not None else None
