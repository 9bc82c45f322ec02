"""Billing with a real Postgres and Stripe's stand-in."""

from __future__ import annotations

import pytest
import stripe as sdk
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.payments.gateway.stripe_calls import StripeCalls
from aichat_server.plans.service import PlanBook, StoredPlans

from tests.fixtures.stripe import Stripe
from tests.integration.billing.desk import Desk, open_desk


@pytest.fixture
async def plans(database: Database) -> PlanBook:
    book = PlanBook(StoredPlans(database))
    await book.refresh()
    return book


@pytest.fixture
async def desk(
    database: Database,
    postgres: Postgres,
    plans: PlanBook,
    stripe: Stripe,
    stripe_sdk: sdk.StripeClient,
    stripe_calls: StripeCalls,
) -> Desk:
    return await open_desk(database, postgres, plans, stripe, stripe_sdk, stripe_calls)


@pytest.fixture
async def other_desk(
    database: Database,
    postgres: Postgres,
    plans: PlanBook,
    stripe: Stripe,
    stripe_sdk: sdk.StripeClient,
    stripe_calls: StripeCalls,
) -> Desk:
    return await open_desk(database, postgres, plans, stripe, stripe_sdk, stripe_calls)
