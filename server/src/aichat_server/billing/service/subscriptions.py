"""Turns subscriptions at the payment provider into plans, in whatever order events arrive."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from aichat_server.billing.domain import Subscription, foremost, grace_ends, subscription_of
from aichat_server.billing.storage.billing import BillingRepository, grace_over
from aichat_server.billing.storage.unpaid import UnpaidRepository
from aichat_server.core.database.batches import at_once
from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, Reason
from aichat_server.identity.service.directory import Directory
from aichat_server.payments.domain.billing import SubscriptionState, SubscriptionStatus
from aichat_server.payments.domain.provider import PaymentCustomers
from aichat_server.plans.service import PlanBook

_TRIES = 5

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """Reads subscriptions from the payment provider and stores them.

    Each method may run at any time, twice, or concurrently with itself.
    """

    database: Database
    customers: PaymentCustomers
    plans: PlanBook
    grace: timedelta
    """How long a plan lasts without payment."""

    async def refresh(self, org_id: UUID, now: datetime) -> Subscription | None:
        """Reads the organisation's subscription again, and sets the plan that it gives at `now`.

        Returns None if it never had one; its plan then stays. Fails as `StripeCalls.send` does.
        """
        for _ in range(_TRIES):
            async with self.database.session(org_id) as session:
                billing = BillingRepository(session)
                account, before = await billing.account(), await billing.subscription()
            if account is None:
                return None
            # Read after the account's version: a concurrent call that read earlier finds another version when it
            # stores.
            seen = self._seen(await self._sold(account.customer_id), before, now)
            async with self.database.session(org_id) as session:
                unpaid_since = await UnpaidRepository(session).since()
                ends = grace_ends(seen, unpaid_since, self.grace)
                taken = await BillingRepository(session).take_over(
                    seen,
                    now,
                    seen_version=account.seen_version,
                    grace_ends_at=next((end for end in ends if end > now), None),
                )
                if taken and seen is not None:
                    await Directory(session).set_plan(seen.plan_at(now, self.grace, unpaid_since), now)
            if taken:
                return seen
        message = "the subscription is being changed by others; try again"
        raise AichatError(Reason.BILLING_UNAVAILABLE, message, retry_after=1.0)

    async def end_graces(self, now: datetime) -> int:
        """Sets Free for organisations whose grace period ended unpaid by `now`; returns how many were checked."""
        async with self.database.platform_session() as session:
            over = await grace_over(session, now)
        await at_once(over, lambda org_id: self._end_grace(org_id, now))
        return len(over)

    async def _end_grace(self, org_id: UUID, now: datetime) -> None:
        try:
            await self.refresh(org_id, now)
        except AichatError as error:
            # It stays on the list. A failure must not delay the others.
            _log.warning("grace not ended", org_id=str(org_id), reason=error.reason)

    async def _sold(self, customer_id: str | None) -> list[SubscriptionState]:
        if customer_id is None:
            return []
        try:
            return await self.customers.list_subscriptions(customer_id)
        except AichatError as error:
            if error.reason is not Reason.BILLING_OBJECT_MISSING:
                raise
            return []

    def _seen(self, states: list[SubscriptionState], before: Subscription | None, now: datetime) -> Subscription | None:
        ours = [(state, plan) for state in states if (plan := self.plans.sold_as(state.price_lookup_key))]
        if len(ours) > 1:
            _log.error("more than one subscription", customer_id=ours[0][0].customer_id, count=len(ours))
        first = foremost(ours)
        if first is not None:
            return subscription_of(*first, before, now)
        if before is None:
            return None
        return replace(before, status=SubscriptionStatus.CANCELED, cancel_at_period_end=False, past_due_since=None)
