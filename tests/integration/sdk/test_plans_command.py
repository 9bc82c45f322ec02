"""`aichat plans` and `aichat invoices`."""

from __future__ import annotations

from aichat.v1 import billing_pb2 as pb
from aichat.v1 import invoices_pb2, plans_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from tests.integration.sdk.aichat import Aichat
from tests.unit.sdk.scripted import ScriptedServer, reply

FREE = plans_pb2.Plan(
    plan="free",
    seat_price=Money(currency_code="USD"),
    included_usage=Money(currency_code="USD", units=5),
    hard_limit=True,
    retention_days=30,
)
PRO = plans_pb2.Plan(
    plan="pro",
    seat_price=Money(currency_code="USD", units=20),
    included_usage=Money(currency_code="USD", units=20),
    overage_basis_points=2050,
)


async def test_plans_are_listed_with_a_mark_at_ours(server: ScriptedServer, aichat: Aichat) -> None:
    server.on("ListPlans", reply(pb.ListPlansResponse(plans=[FREE, PRO])))
    subscription = plans_pb2.Subscription(
        plan="pro",
        subscribed_plan="pro",
        status=plans_pb2.SUBSCRIPTION_STATUS_PAST_DUE,
        seats=3,
        period_end_time=Timestamp(seconds=1_709_208_000),
    )
    server.on("GetSubscription", reply(pb.GetSubscriptionResponse(subscription=subscription)))
    done = await aichat("plans")
    assert done.code == 0
    assert done.out.splitlines() == [
        "  free   free           $5.00 of usage a month, above: refused; chats kept 30 days",
        "→ pro    $20.00 a seat  $20.00 of usage a month, above: its price and 20.5 %; chats kept until deleted",
    ]
    assert "subscribed to pro for 3 seats: past due, paid until 2024-02-29" in done.err


async def test_without_a_subscription_it_says_so(server: ScriptedServer, aichat: Aichat) -> None:
    server.on("ListPlans", reply(pb.ListPlansResponse(plans=[FREE])))
    server.on("GetSubscription", reply(pb.GetSubscriptionResponse(subscription=plans_pb2.Subscription(plan="free"))))
    done = await aichat("plans")
    assert (done.code, done.out[0], "no subscription" in done.err) == (0, "→", True)


async def test_invoices_are_listed_page_after_page(server: ScriptedServer, aichat: Aichat) -> None:
    paid = invoices_pb2.Invoice(
        number="AB-1",
        status=invoices_pb2.INVOICE_STATUS_PAID,
        total=Money(currency_code="USD", units=12, nanos=340_000_000),
        create_time=Timestamp(seconds=1_709_208_000),
        pdf_url="https://pay.example.com/1.pdf",
    )
    draft = invoices_pb2.Invoice(status=invoices_pb2.INVOICE_STATUS_DRAFT, total=Money(currency_code="USD", units=1))
    pages = pb.ListInvoicesResponse(invoices=[draft], next_page_token="more"), pb.ListInvoicesResponse(invoices=[paid])
    server.on("ListInvoices", *map(reply, pages))
    done = await aichat("invoices")
    assert done.code == 0
    assert [line.split() for line in done.out.splitlines()] == [
        ["-", "$1.00", "draft"],
        ["2024-02-29", "AB-1", "$12.34", "paid", "https://pay.example.com/1.pdf"],
    ]
