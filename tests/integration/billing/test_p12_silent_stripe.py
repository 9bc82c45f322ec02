"""Promise 12: a silent payment provider delays a call or a job by seconds, and everything is done afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import timedelta

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.payments.gateway.stripe_calls import StripeCalls, StripeConfig, open_stripe
from aichat_server.plans.domain import Plan

from tests.faults.bounds import ROOM, read_bounds
from tests.faults.link import Link, Way, link_to
from tests.fixtures.stripe import SECRET_KEY, Stripe
from tests.integration.billing.desk import DONE, LEFT, Desk

BOUND = read_bounds()["server ↔ Stripe", "silent"]


@pytest.fixture
async def link(stripe: Stripe) -> AsyncGenerator[Link, None]:
    """Between the desk and Stripe."""
    async with link_to(stripe.url) as opened:
        yield opened


@pytest.fixture
async def stripe_calls(stripe: Stripe, link: Link) -> AsyncGenerator[StripeCalls, None]:
    async with open_stripe(StripeConfig(SECRET_KEY, link.through(stripe.url))) as calls:
        yield calls


async def _reason(desk: Desk) -> Reason | None:
    """Returns why no checkout can begin."""
    try:
        await desk.billing.open_checkout(desk.owner, "pro", success_url=DONE, cancel_url=LEFT)
    except AichatError as error:
        return error.reason
    return None


@pytest.mark.parametrize("ways", [(), (Way.DOWN,)], ids=["both ways", "from it"])
async def test_p12_calls_fail_in_time_and_a_run_waits_once(
    desk: Desk, other_desk: Desk, link: Link, ways: tuple[Way, ...]
) -> None:
    await desk.subscribe()
    completed = [one for one in await desk.events() if one["type"].startswith(("checkout", "customer.sub"))]
    assert len(completed) > 1
    await desk.deliver(completed)
    link.silence(*ways)
    async with asyncio.timeout(BOUND.within * ROOM):
        reason, done = await asyncio.gather(_reason(other_desk), desk.process())
    assert (reason, done) == (Reason.BILLING_UNAVAILABLE, 0)
    tried = [stored["attempts"] for stored in await desk.stored()]
    assert sum(tried) == 1, "the run went on to the next event, to wait for that, too"
    link.heal()
    async with asyncio.timeout(BOUND.back * ROOM):
        assert await _reason(other_desk) is None
    assert await desk.process(timedelta(minutes=1)) == len(completed)
    assert await desk.plan() is Plan.PRO
