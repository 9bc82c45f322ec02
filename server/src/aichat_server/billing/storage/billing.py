"""Stores an organisation's account and subscription at the payment provider."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert

from aichat_server.billing.domain import BillingAccount, Subscription
from aichat_server.billing.storage.tables import billing_accounts as accounts
from aichat_server.billing.storage.tables import subscriptions
from aichat_server.core.database.session import PlatformSession, Repository
from aichat_server.payments.domain.billing import SubscriptionStatus
from aichat_server.plans.domain import Plan


class BillingRepository(Repository):
    """One organisation's billing."""

    async def customer_id(self) -> str | None:
        """Returns its customer id at the payment provider.

        None before the first checkout, and after a deletion there.
        """
        account = await self.account()
        return account.customer_id if account else None

    async def account(self) -> BillingAccount | None:
        """Returns its account; None before the first checkout."""
        columns = (
            accounts.c.customer_id,
            accounts.c.customer_version,
            accounts.c.seen_version,
            accounts.c.first_subscribed_at,
            accounts.c.seen_card_id,
        )
        found = await self._connection.execute(select(*columns).where(accounts.c.org_id == self._org_id))
        row = found.one_or_none()
        return BillingAccount(*row) if row else None

    async def ensure_account(self) -> BillingAccount:
        """Returns its account, and creates it if needed."""
        await self._connection.execute(insert(accounts).values(org_id=self._org_id).on_conflict_do_nothing())
        account = await self.account()
        if account is None:
            raise LookupError(f"no billing account: {self._org_id}")
        return account

    async def settle_customer(self, customer_id: str) -> str:
        """Stores its customer id at the payment provider, unless one is stored; returns the stored one."""
        change = update(accounts).where(accounts.c.org_id == self._org_id)
        change = change.values(customer_id=func.coalesce(accounts.c.customer_id, customer_id))
        return str((await self._connection.execute(change.returning(accounts.c.customer_id))).scalar_one())

    async def forget_customer(self, customer_id: str) -> None:
        """Removes a customer who was deleted at the payment provider; a newer customer stays."""
        change = update(accounts).where(accounts.c.org_id == self._org_id, accounts.c.customer_id == customer_id)
        values = {"customer_id": None, "customer_version": accounts.c.customer_version + 1}
        await self._connection.execute(change.values(values))

    async def see_card(self, card_id: str | None) -> None:
        """Stores which card is the customer's default."""
        change = update(accounts).where(accounts.c.org_id == self._org_id)
        await self._connection.execute(change.values(seen_card_id=card_id))

    async def look_again(self) -> None:
        """Has the organisation's plan checked again: a check that is running now may use old data."""
        change = update(accounts).where(accounts.c.org_id == self._org_id)
        values = {"seen_version": accounts.c.seen_version + 1, "grace_ends_at": func.now()}
        await self._connection.execute(change.values(values))

    async def subscription(self) -> Subscription | None:
        """Returns the last known subscription, even if it has ended; None if there never was one."""
        query = select(*subscriptions.c["subscription_id", "plan", "status", "seats", "period_start", "period_end"])
        query = query.add_columns(*subscriptions.c["cancel_at_period_end", "trial_end", "past_due_since"])
        row = (await self._connection.execute(query.where(subscriptions.c.org_id == self._org_id))).one_or_none()
        if row is None:
            return None
        return replace(Subscription(*row), plan=Plan(row.plan), status=SubscriptionStatus(row.status))

    async def take_over(
        self, subscription: Subscription | None, now: datetime, *, seen_version: int, grace_ends_at: datetime | None
    ) -> bool:
        """Stores what was read when the account was at `seen_version`; returns False if another has stored since.

        `grace_ends_at`: when it must be checked again.
        """
        change = update(accounts).where(accounts.c.org_id == self._org_id, accounts.c.seen_version == seen_version)
        values: dict[str, object] = {"seen_version": seen_version + 1, "grace_ends_at": grace_ends_at}
        if subscription is not None and subscription.has_begun:
            values["first_subscribed_at"] = func.coalesce(accounts.c.first_subscribed_at, now)
        if (await self._connection.execute(change.values(values))).rowcount == 0:
            return False
        if subscription is not None:
            await self._store(subscription, now)
        return True

    async def _store(self, subscription: Subscription, now: datetime) -> None:
        row = {
            "subscription_id": subscription.subscription_id,
            "plan": subscription.plan.value,
            "status": subscription.status.value,
            "seats": subscription.seats,
            "period_start": subscription.period_start,
            "period_end": subscription.period_end,
            "cancel_at_period_end": subscription.cancel_at_period_end,
            "trial_end": subscription.trial_end,
            "past_due_since": subscription.past_due_since,
            "updated_at": now,
        }
        change = insert(subscriptions).values(org_id=self._org_id, **row)
        await self._connection.execute(change.on_conflict_do_update(index_elements=[subscriptions.c.org_id], set_=row))


async def customers_organization(session: PlatformSession, customer_id: str) -> UUID | None:
    """Returns the organisation of a customer at the payment provider; None if none of ours has it."""
    query = select(accounts.c.org_id).where(accounts.c.customer_id == customer_id)
    return (await session.connection.execute(query)).scalar_one_or_none()


async def grace_over(session: PlatformSession, now: datetime) -> tuple[UUID, ...]:
    """Returns the organisations that are past due and whose grace period has ended."""
    query = select(accounts.c.org_id).where(accounts.c.grace_ends_at <= now).order_by(accounts.c.grace_ends_at)
    return tuple((await session.connection.execute(query)).scalars())
