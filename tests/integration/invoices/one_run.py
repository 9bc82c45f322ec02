"""`python -m tests.integration.invoices.one_run DATABASE STRIPE ORGANIZATION MONTH`: advances one invoice."""

from __future__ import annotations

import asyncio
import sys
from uuid import UUID

from aichat_server.app.payments import at_stripe
from aichat_server.core.database.database import open_database
from aichat_server.core.periods import parse_month
from aichat_server.invoices.service.monthly import Invoices
from aichat_server.payments.gateway.stripe_calls import StripeConfig, open_stripe


async def main(database_url: str, stripe_url: str, organization: str, month: str) -> None:
    async with open_database(database_url) as database, open_stripe(StripeConfig("sk_test_1", stripe_url)) as calls:
        await Invoices(database, at_stripe(calls)).bring_on(UUID(organization), parse_month(month))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
