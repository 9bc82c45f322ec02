"""The fixtures of invoice tests."""

from __future__ import annotations

import pytest
import stripe as sdk
from aichat_sandbox.postgres import Postgres
from aichat_server.app.payments import at_stripe
from aichat_server.core.database.database import Database
from aichat_server.payments.gateway.stripe_calls import StripeCalls

from tests.fixtures.stripe import Stripe
from tests.integration.invoices.months import Shop, open_shop


@pytest.fixture
async def shop(
    postgres: Postgres, database: Database, stripe: Stripe, stripe_calls: StripeCalls, stripe_sdk: sdk.StripeClient
) -> Shop:
    """An organisation that subscribed to Pro with a valid card: 20 USD included, the rest with 20 % added."""
    return await open_shop(postgres, database, at_stripe(stripe_calls), stripe_sdk, stripe)
