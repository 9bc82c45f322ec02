"""Invoices, as the server sees them; and the result of a change whose response is lost."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import stripe as sdk
from aichat_server.core.errors import AichatError, Reason
from aichat_server.payments.domain.billing import InvoiceItem, InvoiceState, InvoiceStatus
from aichat_server.payments.gateway.stripe_calls import API_VERSION, StripeCalls, StripeConfig, open_stripe
from aichat_server.payments.gateway.stripe_invoices import StripeInvoices
from stripe._api_version import _ApiVersion

from tests.fixtures.stripe import SECRET_KEY, Stripe
from tests.integration.payments.asking import keep_card

OCTOBER, NOVEMBER = datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def invoices(stripe_calls: StripeCalls) -> StripeInvoices:
    return StripeInvoices(stripe_calls)


@pytest.fixture
async def customer(stripe_sdk: sdk.StripeClient) -> str:
    """A customer with a valid card, which is not a default."""
    made = await stripe_sdk.v1.customers.create_async()
    await keep_card(stripe_sdk, made.id)
    return made.id


@pytest.fixture
async def card(stripe_sdk: sdk.StripeClient, customer: str) -> str:
    """The customer's card."""
    return (await stripe_sdk.v1.customers.payment_methods.list_async(customer)).data[0].id


def item(amount: int = 100, name: str = "tokens") -> InvoiceItem:
    return InvoiceItem(amount, "usd", f"October, {name}", OCTOBER, NOVEMBER, {"line": name})


async def draft_for(invoices: StripeInvoices, customer: str, key: str | None = None, **more: Any) -> InvoiceState:
    told: dict[str, Any] = {"description": "October", "metadata": {"period": "2026-10"}}
    return await invoices.create_draft(customer, "usd", key=key or str(uuid4()), **(told | more))


async def test_an_invoice_is_drafted_compared_and_collected(invoices: StripeInvoices, customer: str, card: str) -> None:
    draft = await draft_for(invoices, customer)
    amounts = [*range(1, 121), -20]
    added = [
        await invoices.add_item(customer, item(amount, str(amount)), invoice_id=draft.id, key=str(uuid4()))
        for amount in amounts
    ]
    lines = await invoices.fetch_lines(draft.id)
    assert [line.amount for line in lines] == amounts
    assert [line.item_id for line in lines] == added
    assert lines[0].metadata == {"line": "1"}
    assert (lines[0].description, lines[0].currency) == ("October, 1", "usd")
    await invoices.set_card(draft.id, card)
    fixed = await invoices.finalize(draft.id)
    assert (fixed.status, fixed.total, fixed.amount_paid) == (InvoiceStatus.PAID, sum(amounts), sum(amounts))
    assert fixed.number
    assert fixed.pdf_url
    assert fixed.metadata == {"period": "2026-10"}
    assert await invoices.finalize(draft.id) == fixed


async def test_what_waits_for_the_customer_stays_off_the_draft(invoices: StripeInvoices, customer: str) -> None:
    await invoices.add_item(customer, item(), invoice_id=None, key=str(uuid4()))
    assert (await draft_for(invoices, customer)).total == 0


async def test_an_open_invoice_is_voided_once_and_a_paid_one_never(
    invoices: StripeInvoices, stripe_sdk: sdk.StripeClient, customer: str, card: str
) -> None:
    draft = await draft_for(invoices, customer)
    await invoices.add_item(customer, item(), invoice_id=draft.id, key=str(uuid4()))
    await invoices.set_card(draft.id, await keep_card(stripe_sdk, customer, "pm_card_chargeCustomerFail"))
    assert (await invoices.finalize(draft.id)).status is InvoiceStatus.OPEN
    assert [(await invoices.void(draft.id)).status for _ in range(2)] == [InvoiceStatus.VOID] * 2
    paid = await paid_invoice(invoices, customer, card)
    with pytest.raises(AichatError) as refused:
        await invoices.void(paid)
    assert refused.value.reason is Reason.BILLING_REQUEST_REJECTED


async def test_an_invoice_that_names_no_card_is_not_collected_until_it_does(
    invoices: StripeInvoices, stripe_sdk: sdk.StripeClient, customer: str, card: str
) -> None:
    draft = await draft_for(invoices, customer)
    await invoices.add_item(customer, item(), invoice_id=draft.id, key=str(uuid4()))
    await invoices.finalize(draft.id)
    left = await invoices.fetch(draft.id)
    assert (left.status, left.is_attempted, left.card_id) == (InvoiceStatus.OPEN, True, None)
    [failed] = (await stripe_sdk.v1.events.list_async({"type": "invoice.payment_failed", "limit": 1})).data
    assert failed.data.object["id"] == draft.id
    bad = await keep_card(stripe_sdk, customer, "pm_card_chargeCustomerFail")
    for _ in range(2):
        declined = await invoices.pay(draft.id, bad)
        assert (declined.status, declined.card_id) == (InvoiceStatus.OPEN, bad)
    paid = await invoices.pay(draft.id, card)
    assert (paid.status, paid.card_id) == (InvoiceStatus.PAID, card)
    charges = (await stripe_sdk.v1.charges.list_async({"customer": customer})).data
    assert [charge.payment_method for charge in charges] == [card, bad]


async def test_a_card_that_is_not_the_customers_is_refused(
    invoices: StripeInvoices, stripe_sdk: sdk.StripeClient, customer: str
) -> None:
    draft, other = await draft_for(invoices, customer), await stripe_sdk.v1.customers.create_async()
    with pytest.raises(AichatError) as refused:
        await invoices.set_card(draft.id, await keep_card(stripe_sdk, other.id))
    assert refused.value.reason is Reason.BILLING_OBJECT_MISSING


async def paid_invoice(invoices: StripeInvoices, customer: str, card: str) -> str:
    draft = await draft_for(invoices, customer)
    await invoices.set_card(draft.id, card)
    await invoices.add_item(customer, item(), invoice_id=draft.id, key=str(uuid4()))
    assert (await invoices.finalize(draft.id)).status is InvoiceStatus.PAID
    return draft.id


async def test_a_deleted_draft_leaves_nothing_behind(
    invoices: StripeInvoices, stripe_sdk: sdk.StripeClient, customer: str
) -> None:
    draft = await draft_for(invoices, customer)
    await invoices.add_item(customer, item(), invoice_id=draft.id, key=str(uuid4()))
    for _ in range(2):
        await invoices.delete_draft(draft.id)
    assert (await stripe_sdk.v1.invoice_items.list_async({"customer": customer})).data == []
    with pytest.raises(AichatError) as gone:
        await invoices.fetch(draft.id)
    assert gone.value.reason is Reason.BILLING_OBJECT_MISSING


async def test_invoices_come_in_pages(invoices: StripeInvoices, customer: str) -> None:
    made = [(await draft_for(invoices, customer)).id for _ in range(3)]
    first = await invoices.list_page(customer, size=2, after=None)
    assert [one.id for one in first.invoices] == made[:0:-1]
    last = await invoices.list_page(customer, size=2, after=first.next_after)
    assert ([one.id for one in last.invoices], last.next_after) == ([made[0]], None)


async def test_a_refund_is_given_once_and_finds_its_invoice_again(
    stripe: Stripe, invoices: StripeInvoices, stripe_sdk: sdk.StripeClient, customer: str, card: str
) -> None:
    invoice, name = await paid_invoice(invoices, customer, card), str(uuid4())
    given = await invoices.refund(invoice, 30, name=name)
    assert given.amount == 30
    assert await invoices.refund(invoice, 30, name=name) == given
    # Stripe forgets its keys after a day, but not the name.
    await stripe.advance(2 * 86_400)
    assert await invoices.refund(invoice, 30, name=name) == given
    [charge] = (await stripe_sdk.v1.charges.list_async({"customer": customer})).data
    state = await invoices.fetch_charge(charge.id)
    assert (state.invoice_id, state.customer_id, state.amount, state.amount_refunded) == (invoice, customer, 100, 30)
    with pytest.raises(AichatError) as more:
        await invoices.refund(invoice, 71, name=str(uuid4()))
    assert more.value.reason is Reason.BILLING_REQUEST_REJECTED
    with pytest.raises(AichatError, match="nothing was paid"):
        await invoices.refund((await draft_for(invoices, customer)).id, 1, name=str(uuid4()))


async def test_a_change_whose_answer_is_lost_is_made_once(
    stripe: Stripe, invoices: StripeInvoices, stripe_sdk: sdk.StripeClient, customer: str, card: str
) -> None:
    for path in ("invoices", "invoiceitems", "invoices/in_[^/]+", "invoices/in_[^/]+/finalize", "refunds"):
        await stripe.fail(f"/v1/{path}", how="cut", times=2)
    draft = await draft_for(invoices, customer)
    await invoices.add_item(customer, item(), invoice_id=draft.id, key=str(uuid4()))
    await invoices.set_card(draft.id, card)
    assert (await invoices.finalize(draft.id)).status is InvoiceStatus.PAID
    await invoices.refund(draft.id, 10, name=str(uuid4()))
    assert [one.id for one in (await stripe_sdk.v1.invoices.list_async({"customer": customer})).data] == [draft.id]
    assert [line.amount for line in await invoices.fetch_lines(draft.id)] == [100]
    [charge] = (await stripe_sdk.v1.charges.list_async({"customer": customer})).data
    assert charge.amount_refunded == 10
    cut = [entry for entry in await stripe.log() if entry["status"] is None]
    assert [entry["replayed"] for entry in cut] == [False, True] * 5


@pytest.mark.parametrize("status", [429, 500])
async def test_stripe_is_retried_before_it_counts_as_unreachable(
    stripe: Stripe, invoices: StripeInvoices, customer: str, status: int
) -> None:
    await stripe.fail("/v1/invoices", how="status", status=status, times=9)
    with pytest.raises(AichatError) as away:
        await draft_for(invoices, customer)
    assert away.value.reason is Reason.BILLING_UNAVAILABLE
    assert away.value.retry_after
    tries = [entry for entry in await stripe.log() if entry["path"] == "/v1/invoices"]
    assert len(tries) == 4
    assert len({entry["idempotency_key"] for entry in tries}) == 1


async def test_a_moments_outage_goes_unnoticed(stripe: Stripe, invoices: StripeInvoices, customer: str) -> None:
    await stripe.fail("/v1/invoices", how="status", status=503, times=2)
    assert (await draft_for(invoices, customer)).status is InvoiceStatus.DRAFT


async def test_a_key_used_for_something_else_is_refused(invoices: StripeInvoices, customer: str) -> None:
    key = str(uuid4())
    await draft_for(invoices, customer, key)
    with pytest.raises(AichatError) as refused:
        await draft_for(invoices, customer, key, description="November")
    assert refused.value.reason is Reason.BILLING_REQUEST_REJECTED


async def test_a_declined_card_is_told_as_such(stripe: Stripe, invoices: StripeInvoices, customer: str) -> None:
    await stripe.fail("/v1/invoices", how="status", status=402)
    with pytest.raises(AichatError) as declined:
        await draft_for(invoices, customer)
    assert (declined.value.reason, declined.value.metadata) == (Reason.PAYMENT_DECLINED, {"code": "card_declined"})


async def test_a_refused_key_is_reported_to_the_operator_and_shown_nowhere(stripe: Stripe) -> None:
    config = StripeConfig("sk_live_hunter2", stripe.url)
    async with open_stripe(config) as calls:
        with pytest.raises(AichatError) as refused:
            await StripeInvoices(calls).fetch("in_1")
    assert refused.value.reason is Reason.BILLING_NOT_CONFIGURED
    assert "hunter2" not in f"{refused.value!r}{refused.value.__cause__!r}{refused.value.__cause__}{config!r}{calls!r}"


async def test_an_unreachable_stripe_is_reported() -> None:
    async with open_stripe(StripeConfig(SECRET_KEY, "http://127.0.0.1:1")) as calls:
        with pytest.raises(AichatError) as away:
            await StripeInvoices(calls).fetch("in_1")
    assert away.value.reason is Reason.BILLING_UNAVAILABLE


async def test_requests_name_the_version_that_the_sdk_was_made_for(stripe: Stripe, invoices: StripeInvoices) -> None:
    with pytest.raises(AichatError):
        await invoices.fetch("in_1")
    assert [entry["stripe_version"] for entry in await stripe.log()] == [API_VERSION]
    assert API_VERSION == _ApiVersion.CURRENT
