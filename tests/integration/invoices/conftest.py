"""What the tests of invoices begin with."""

from __future__ import annotations

import pytest
import stripe as sdk
from aichat_sandbox.postgres import Postgres
from aichat_server.gateways.stripe_calls import StripeCalls
from aichat_server.gateways.stripe_invoices import StripeInvoices
from aichat_server.storage.database import Database

from tests.integration.invoices.months import Shop, open_shop


@pytest.fixture
async def shop(postgres: Postgres, database: Database, stripe_calls: StripeCalls, stripe_sdk: sdk.StripeClient) -> Shop:
    """An organisation on the plan Pro, whose card is good: 20 USD included, the rest with 20 % on top."""
    return await open_shop(postgres, database, StripeInvoices(stripe_calls), stripe_sdk)
