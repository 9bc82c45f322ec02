"""Billing, read by an organisation's members and changed by its owners."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from aichat_server.billing.domain import BillingAccount, Subscription, UnpaidInvoice, grace_ends
from aichat_server.billing.service.cards import OrganizationCards
from aichat_server.billing.service.subscriptions import Subscriptions
from aichat_server.billing.storage.billing import BillingRepository
from aichat_server.billing.storage.unpaid import UnpaidRepository
from aichat_server.core.database.database import Database
from aichat_server.core.database.session import Session
from aichat_server.core.errors import AichatError, Reason
from aichat_server.core.ids import new_id
from aichat_server.core.money import NANO_PER_CENT, NanoUsd
from aichat_server.core.origins import ReturnPages
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.service.directory import Directory
from aichat_server.payments.domain.billing import InvoicePage, Offer, PaymentMethodState
from aichat_server.payments.domain.provider import PaymentProvider
from aichat_server.plans.domain import Plan, PlanTerms
from aichat_server.plans.service import PlanBook

CURRENCY = "usd"


@dataclass(frozen=True, slots=True)
class Payments(PaymentProvider):
    """The payment provider, and what is built on it."""

    subscriptions: Subscriptions
    cards: OrganizationCards


@dataclass(frozen=True, slots=True)
class Standing:
    """The state of an organisation's billing."""

    plan: Plan
    """The plan whose limits apply."""
    members: int
    subscription: Subscription | None
    """None if there never was one."""
    grace_ends_at: datetime | None
    """When the plan ends if it, or its usage, stays unpaid."""
    payment_method: PaymentMethodState | None
    unpaid: tuple[UnpaidInvoice, ...]
    """Invoices for usage, the oldest first."""


@dataclass(frozen=True, slots=True)
class _Organization:
    """Our own data of an organisation that is billed."""

    name: str
    email: str | None
    """The address of the owner who makes the call."""
    members: int
    account: BillingAccount
    subscription: Subscription | None


@dataclass(frozen=True, slots=True)
class Billing:
    """Plans, subscriptions and invoices.

    Methods that call the payment provider fail as `StripeCalls.send` does, and with BILLING_NOT_CONFIGURED without a
    payment provider.
    """

    database: Database
    plans: PlanBook
    payments: Payments | None
    """None without a key of a payment provider."""
    grace: timedelta
    pages: ReturnPages | None = None
    """The pages that the payment provider may redirect to; None: any."""
    overage_cap: NanoUsd | None = None
    """The cap for plans that set none; None: no cap."""

    def list_plans(self) -> list[PlanTerms]:
        """Returns the plans with the terms in force, the smallest first."""
        return [self._with_cap(self.plans.current(plan)) for plan in Plan]

    def _with_cap(self, terms: PlanTerms) -> PlanTerms:
        if terms.hard or terms.overage_cap is not None:
            return terms
        return replace(terms, overage_cap=self.overage_cap)

    async def get_standing(self, principal: Principal) -> Standing:
        """Returns the organisation's plan and subscription."""
        async with self.database.session(principal.org_id, principal.actor) as session:
            plan = await Directory(session).plan()
            members = await Directory(session).count_members()
            subscription = await BillingRepository(session).subscription()
            unpaid = await UnpaidRepository(session).list()
        method = await self.payments.cards.find(principal.org_id) if self.payments is not None else None
        unpaid_since = min((invoice.since for invoice in unpaid), default=None)
        ends = grace_ends(subscription, unpaid_since, self.grace)
        return Standing(plan, members, subscription, next(iter(ends), None), method, unpaid)

    async def open_checkout(self, principal: Principal, plan_id: str, *, success_url: str, cancel_url: str) -> str:
        """Returns the address of a page on which the organisation subscribes to the plan, with a seat for each member.

        Raises REQUEST_INVALID for a URL that is not allowed, OWNER_REQUIRED, PLAN_UNKNOWN, SUBSCRIPTION_EXISTS or
        SEATS_EXCEEDED.
        """
        if self.pages is not None:
            self.pages.check(success_url=success_url, cancel_url=cancel_url)
        terms = self._sold(plan_id)
        payments = self._payments()
        organization = await self._organization(principal)
        if organization.subscription is not None and not organization.subscription.has_ended:
            message = "the organisation has a subscription; ChangePlan changes it, and the portal manages it"
            raise AichatError(Reason.SUBSCRIPTION_EXISTS, message)
        _check_seats(terms, organization.members)
        customer_id = await self._ensure_customer(payments, principal.org_id, organization)
        trial_days = terms.trial_days if organization.account.first_subscribed_at is None else 0
        page = await payments.customers.create_checkout(
            customer_id,
            Offer(await _price(payments, terms), organization.members, trial_days),
            success_url=success_url,
            cancel_url=cancel_url,
            org_id=principal.org_id,
            key=str(new_id()),
        )
        if page.url is None:
            raise AichatError(Reason.BILLING_REQUEST_REJECTED, "the payment provider opened no page; try again")
        return page.url

    async def open_portal(self, principal: Principal, *, return_url: str) -> str:
        """Returns the address of a page on which the organisation manages cards, subscription and invoices.

        Raises REQUEST_INVALID for a URL that is not allowed, OWNER_REQUIRED or SUBSCRIPTION_MISSING.
        """
        if self.pages is not None:
            self.pages.check(return_url=return_url)
        payments = self._payments()
        organization = await self._organization(principal)
        if organization.account.customer_id is None:
            raise _no_subscription()
        return await payments.customers.create_portal(organization.account.customer_id, return_url=return_url)

    async def change_plan(self, principal: Principal, plan_id: str) -> Standing:
        """Changes to another plan: to a paid one at once, to Free when the paid period ends.

        Raises OWNER_REQUIRED, PLAN_UNKNOWN, SUBSCRIPTION_MISSING or SEATS_EXCEEDED.
        """
        terms = None if plan_id == Plan.FREE else self._sold(plan_id)
        payments = self._payments()
        organization = await self._organization(principal)
        subscription = organization.subscription
        if subscription is None or subscription.has_ended:
            raise _no_subscription()
        subscription_id = subscription.subscription_id
        if terms is None:
            await payments.customers.cancel_subscription(subscription_id, at_period_end=True)
        else:
            _check_seats(terms, organization.members)
            price = await _price(payments, terms)
            await payments.customers.change_subscription(
                subscription_id, price, organization.members, key=str(new_id())
            )
        # The webhook would do the same a little later.
        await payments.subscriptions.refresh(principal.org_id, await self.database.now())
        return await self.get_standing(principal)

    async def list_invoices(self, principal: Principal, size: int, after: str | None) -> InvoicePage:
        """Returns the organisation's invoices after the id `after`, the newest first; raises OWNER_REQUIRED."""
        payments = self._payments()
        organization = await self._organization(principal)
        if organization.account.customer_id is None:
            return InvoicePage((), None)
        return await payments.invoices.list_page(organization.account.customer_id, size=size, after=after)

    def _payments(self) -> Payments:
        if self.payments is None:
            message = "this server has no account at a payment provider; its operator must set STRIPE_SECRET_KEY"
            raise AichatError(Reason.BILLING_NOT_CONFIGURED, message)
        return self.payments

    def _sold(self, plan_id: str) -> PlanTerms:
        terms = self.plans.current(Plan(plan_id)) if plan_id in set(Plan) else None
        if terms is None or terms.lookup_key is None:
            message = f"there is no plan {plan_id!r} to subscribe to; ListPlans tells which there are"
            raise AichatError(Reason.PLAN_UNKNOWN, message, metadata={"plan": plan_id})
        return terms

    async def _organization(self, principal: Principal) -> _Organization:
        """Returns our data of the organisation; raises OWNER_REQUIRED if the caller is not one of its owners."""
        async with self.database.session(principal.org_id, principal.actor) as session:
            await check_owner(session, principal)
            return _Organization(
                name=await Directory(session).name(),
                email=await Directory(session).email_of(principal.member_id),
                members=await Directory(session).count_members(),
                account=await BillingRepository(session).ensure_account(),
                subscription=await BillingRepository(session).subscription(),
            )

    async def _ensure_customer(self, payments: Payments, org_id: UUID, organization: _Organization) -> str:
        account = organization.account
        if account.customer_id is not None:
            return account.customer_id
        customer_id = await payments.customers.ensure_customer(
            org_id, account.customer_version, name=organization.name, email=organization.email
        )
        async with self.database.session(org_id) as session:
            return await BillingRepository(session).settle_customer(customer_id)


async def check_owner(session: Session, principal: Principal) -> None:
    """Raises OWNER_REQUIRED if the caller is not one of the organisation's owners."""
    if principal.acts_as_member or not await Directory(session).is_owner(principal.member_id):
        message = "billing is for the organisation's owners; ask one of them, or use an owner's API key"
        raise AichatError(Reason.OWNER_REQUIRED, message)


def _check_seats(terms: PlanTerms, members: int) -> None:
    if terms.most_seats is not None and members > terms.most_seats:
        message = (
            f"{terms.name} has {terms.most_seats} seats, and the organisation {members} members; choose a larger plan"
        )
        metadata = {"plan": terms.plan.value, "seats": str(terms.most_seats), "members": str(members)}
        raise AichatError(Reason.SEATS_EXCEEDED, message, metadata=metadata)


async def _price(payments: Payments, terms: PlanTerms) -> str:
    """Returns the id of the plan's price at the payment provider, and creates it there if needed."""
    if terms.lookup_key is None:
        raise LookupError(f"{terms.plan} is not sold")
    cents = terms.seat_price // NANO_PER_CENT
    return await payments.customers.ensure_price(terms.lookup_key, name=terms.name, amount=cents, currency=CURRENCY)


def _no_subscription() -> AichatError:
    return AichatError(
        Reason.SUBSCRIPTION_MISSING, "the organisation has no subscription; CreateCheckoutSession begins one"
    )
