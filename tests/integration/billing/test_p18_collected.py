"""Promise 18: what is due is charged to the card that the customer sees, or is visibly unpaid."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest
import stripe as sdk
from aichat_server.billing.domain import UNPAID_INVOICE
from aichat_server.billing.rpc.messages import standing_to_proto
from aichat_server.billing.storage.unpaid import UnpaidRepository
from aichat_server.core.periods import Month, month
from aichat_server.invoices.domain.invoices import InvoiceStage
from aichat_server.invoices.service.monthly import Outcome
from aichat_server.invoices.service.stages import take_over
from aichat_server.invoices.storage.invoices import InvoiceRepository
from aichat_server.mail.gateway.rendering import FileTemplates
from aichat_server.mail.gateway.smtp import SmtpMailer
from aichat_server.notifications.service.unpaid_notices import UnpaidNotices
from aichat_server.outbox.service import Outbox
from aichat_server.payments.domain.billing import InvoiceStatus
from aichat_server.plans.domain import Plan

from tests.fixtures.mail import MailServer
from tests.integration.billing.desk import GRACE, LEFT, MONTH_SECONDS, Desk
from tests.integration.payments.asking import keep_card
from tests.integration.usage.books import Entry, add

MARCH, APRIL = month(2024, 3), month(2024, 4)
USD = 1_000_000_000
BAD = "pm_card_chargeCustomerFail"


@dataclass(frozen=True, slots=True)
class Customer:
    """A desk whose organisation has subscribed on Stripe's page."""

    desk: Desk
    subscription: str

    async def month(self, of: Month = MARCH) -> Outcome:
        """Uses 30 USD in a month of which Free includes 5, and is charged for the rest."""
        await add(self.desk.postgres, self.desk.owner, Entry(of.start, 30 * USD))
        invoices = self.desk.invoices.invoices
        await invoices.run(of, datetime.now(UTC))
        return await invoices.bring_on(self.desk.owner.org_id, of)

    async def change_card(self, card: str) -> None:
        """Adds the card in the portal. No webhook is delivered yet."""
        await self.desk.stripe.change_card(await self.desk.billing.open_portal(self.desk.owner, return_url=LEFT), card)

    async def seen(self) -> str | None:
        """Returns the last digits of the card that the customer sees."""
        method = (await self.desk.billing.get_standing(self.desk.owner)).payment_method
        return method.last_digits if method else None

    async def charged(self) -> list[tuple[int, str]]:
        """Returns the charges with their cards, the newest first."""
        charges = await self.desk.sdk.v1.charges.list_async({"customer": await self.desk.customer_id()})
        paid = [charge for charge in charges.data if charge.paid]
        methods = [await self.desk.sdk.v1.payment_methods.retrieve_async(str(one.payment_method)) for one in paid]
        return [(one.amount, method.card.last4 or "") for one, method in zip(paid, methods, strict=True) if method.card]

    async def at_stripe(self) -> sdk.Invoice:
        """Returns the newest invoice for usage."""
        page = await self.desk.sdk.v1.invoices.list_async({"customer": await self.desk.customer_id()})
        return next(invoice for invoice in page.data if invoice.billing_reason == "manual")


async def subscribed(desk: Desk, card: str = "pm_card_visa") -> Customer:
    customer = Customer(desk, await desk.subscribe("pro", card))
    await desk.hear()
    return customer


async def test_usage_is_collected_from_the_card_of_the_checkout(desk: Desk) -> None:
    customer = await subscribed(desk)
    found = await desk.sdk.v1.customers.retrieve_async(await desk.customer_id())
    assert found.invoice_settings
    assert found.invoice_settings.default_payment_method is None
    outcome = await customer.month()
    assert (outcome.stage, outcome.total) == (InvoiceStage.PAID, 2500)
    assert (await customer.charged(), await customer.seen()) == ([(2500, "4242")], "4242")


@pytest.mark.parametrize("heard", [True, False])
async def test_a_card_that_was_changed_in_the_portal_pays_for_everything_from_then_on(desk: Desk, heard: bool) -> None:
    customer = await subscribed(desk)
    await customer.change_card("pm_card_mastercard")
    if heard:
        await desk.hear()
    assert await customer.seen() == "4444"
    assert (await customer.month()).stage is InvoiceStage.PAID
    assert await customer.charged() == [(2500, "4444")]
    # Stripe itself would keep charging the subscription to the card of the checkout.
    await desk.stripe.advance(MONTH_SECONDS)
    assert (await customer.charged())[0] == (2000, "4444")
    # A later choice of the customer for the subscription counts.
    third = await keep_card(desk.sdk, await desk.customer_id())
    await desk.sdk.v1.subscriptions.update_async(customer.subscription, {"default_payment_method": third})
    await desk.hear()
    assert await customer.seen() == "4242"
    await customer.month(APRIL)
    assert (await customer.charged())[0] == (2500, "4242")


async def test_of_two_cards_the_newer_one_is_not_charged_unless_it_was_chosen(desk: Desk) -> None:
    customer = await subscribed(desk)
    await keep_card(desk.sdk, await desk.customer_id(), "pm_card_mastercard")
    await desk.hear()
    assert await customer.seen() == "4242"
    await customer.month()
    assert await customer.charged() == [(2500, "4242")]


async def test_usage_up_to_the_end_of_a_subscription_is_collected_after_it(desk: Desk) -> None:
    customer = await subscribed(desk)
    await desk.payments.customers.cancel_subscription(customer.subscription, at_period_end=False)
    await desk.hear()
    assert await desk.plan() is Plan.FREE
    assert (await customer.month()).stage is InvoiceStage.PAID
    assert await customer.charged() == [(2500, "4242")]


async def test_a_card_is_changed_before_the_end_of_the_subscription_is_known(desk: Desk) -> None:
    customer = await subscribed(desk)
    await desk.sdk.v1.subscriptions.cancel_async(customer.subscription)
    await customer.change_card("pm_card_mastercard")
    assert (await customer.month()).stage is InvoiceStage.PAID
    assert await customer.charged() == [(2500, "4444")]


async def test_one_that_stripe_does_not_collect_counts_as_unpaid(desk: Desk) -> None:
    customer = await subscribed(desk, BAD)
    await customer.month()
    state = await desk.payments.invoices.fetch((await customer.at_stripe()).id)
    async with desk.database.session(desk.owner.org_id) as session:
        await UnpaidRepository(session).settle(MARCH)
        invoice = await InvoiceRepository(session).find(MARCH)
    assert invoice is not None
    now = datetime.now(UTC)
    for age, unpaid in ((timedelta(hours=23), 0), (timedelta(hours=25), 1)):
        await take_over(desk.database, invoice, replace(state, is_attempted=False, finalized_at=now - age))
        assert len((await desk.billing.get_standing(desk.owner)).unpaid) == unpaid


async def test_an_unpaid_one_has_a_subscriptions_grace_and_another_card_pays_it(desk: Desk) -> None:
    customer = await subscribed(desk, BAD)
    assert (await desk.billing.get_standing(desk.owner)).unpaid == ()
    assert (await customer.month()).stage is InvoiceStage.FINALIZED
    await desk.hear()
    standing = await desk.billing.get_standing(desk.owner)
    assert standing.plan is Plan.PRO
    assert [(one.month, one.total) for one in standing.unpaid] == [(MARCH, 2500)]
    [shown] = standing_to_proto(standing).unpaid_invoices
    assert (shown.month, shown.total.units, shown.total.currency_code) == ("2024-03", 25, "USD")
    assert shown.invoice_id == (await customer.at_stripe()).id
    assert standing.grace_ends_at == standing.unpaid[0].since + GRACE
    end = standing.grace_ends_at
    await desk.payments.subscriptions.end_graces(end - timedelta(seconds=1))
    assert await desk.plan() is Plan.PRO
    await desk.payments.subscriptions.end_graces(end)
    assert await desk.plan() is Plan.FREE
    # It stays subscribed, and is notified again.
    await desk.payments.subscriptions.refresh(desk.owner.org_id, end + timedelta(days=1))
    assert await desk.plan() is Plan.FREE

    await customer.change_card("pm_card_mastercard")
    await desk.hear()
    assert await customer.charged() == [(2500, "4444")]
    standing = await desk.billing.get_standing(desk.owner)
    assert (standing.plan, standing.unpaid, standing.grace_ends_at) == (Plan.PRO, (), None)
    await desk.payments.subscriptions.end_graces(end + timedelta(days=30))
    assert await desk.plan() is Plan.PRO


async def test_each_card_is_tried_once(desk: Desk) -> None:
    customer = await subscribed(desk, BAD)
    await customer.month()
    await customer.change_card(BAD)
    for _ in range(3):
        await desk.hear()
        await desk.invoices.refresh((await customer.at_stripe()).id)
    tried = await desk.sdk.v1.charges.list_async({"customer": await desk.customer_id()})
    assert len(tried.data) == 2
    assert (await customer.at_stripe()).status == InvoiceStatus.OPEN


async def test_paying_by_hand_settles_it_in_whatever_order_webhooks_arrive(desk: Desk) -> None:
    customer = await subscribed(desk, BAD)
    await customer.month()
    await desk.sdk.v1.invoices.pay_async((await customer.at_stripe()).id, {"paid_out_of_band": True})
    events = [event for event in await desk.events() if event["id"] not in desk.delivered]
    assert {"invoice.payment_failed", "invoice.paid"} <= {event["type"] for event in events}
    again = [{**event, "id": f"{event['id']}_again"} for event in events]
    shuffled = random.Random(3).sample([*events, *again], 2 * len(events))
    for event in shuffled:
        await desk.deliver([event])
        await desk.process()
        standing = await desk.billing.get_standing(desk.owner)
        assert standing.plan is Plan.PRO
    assert (standing.unpaid, standing.grace_ends_at) == ((), None)


async def test_without_webhooks_the_jobs_detect_both(desk: Desk) -> None:
    customer = await subscribed(desk, BAD)
    await customer.month()
    now, invoices, sync = datetime.now(UTC), desk.invoices.invoices, desk.payments.subscriptions
    await invoices.run_last(now)
    await sync.end_graces(now + timedelta(seconds=5))
    assert await desk.plan() is Plan.PRO
    await sync.end_graces(now + GRACE + timedelta(seconds=5))
    assert await desk.plan() is Plan.FREE
    await desk.sdk.v1.invoices.pay_async((await customer.at_stripe()).id, {"paid_out_of_band": True})
    await invoices.run_last(now)
    await sync.end_graces(datetime.now(UTC) + timedelta(seconds=5))
    assert await desk.plan() is Plan.PRO


async def test_an_uncollectible_one_stays_unpaid_and_a_void_one_does_not(desk: Desk) -> None:
    customer = await subscribed(desk, BAD)
    await customer.month()
    invoice = (await customer.at_stripe()).id
    await desk.sdk.v1.invoices.mark_uncollectible_async(invoice)
    await desk.hear()
    assert len((await desk.billing.get_standing(desk.owner)).unpaid) == 1
    await desk.sdk.v1.invoices.void_invoice_async(invoice)
    await desk.hear()
    assert (await desk.billing.get_standing(desk.owner)).unpaid == ()


async def test_the_owners_are_notified_once_by_e_mail(desk: Desk, mail_server: MailServer) -> None:
    customer = await subscribed(desk, BAD)
    await desk.add_member()
    await customer.month()
    await desk.hear()
    mailer = SmtpMailer(mail_server.url, "AI Chat <no-reply@aichat.example>")
    notices = UnpaidNotices(desk.database, desk.payments.invoices, mailer, FileTemplates(), GRACE)
    outbox = Outbox(desk.database, {UNPAID_INVOICE: notices.send})
    await outbox.relay(datetime.now(UTC) + timedelta(seconds=5))
    await outbox.relay(datetime.now(UTC) + timedelta(seconds=5))
    mails = [mail for mail in await mail_server.mails() if (await customer.at_stripe()).id in str(mail)]
    [mail] = mails
    assert mail["to"] == "ada@example.com"
    assert mail["subject"] == "ada@example.com: the invoice for usage in March 2024 was not paid"
    assert mail["list-unsubscribe"] is None
    plain = mail.get_body(("plain",))
    assert plain is not None
    assert "25.00 US dollars" in plain.get_content()


async def test_nobody_is_notified_if_it_was_paid_in_the_meantime(desk: Desk, mail_server: MailServer) -> None:
    customer = await subscribed(desk, BAD)
    await customer.month()
    invoice = (await customer.at_stripe()).id
    await desk.invoices.refresh(invoice)
    await desk.sdk.v1.invoices.pay_async(invoice, {"paid_out_of_band": True})
    await desk.invoices.refresh(invoice)
    mailer = SmtpMailer(mail_server.url, "AI Chat <no-reply@aichat.example>")
    notices = UnpaidNotices(desk.database, desk.payments.invoices, mailer, FileTemplates(), GRACE)
    await Outbox(desk.database, {UNPAID_INVOICE: notices.send}).relay(datetime.now(UTC) + timedelta(seconds=5))
    assert [mail for mail in await mail_server.mails() if invoice in str(mail)] == []
