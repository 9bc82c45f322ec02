"""`aichat invoices verify`."""

from __future__ import annotations

import grpc
from aichat.v1 import billing_pb2 as pb
from aichat.v1 import invoices_pb2
from google.protobuf.timestamp_pb2 import Timestamp
from google.type.money_pb2 import Money

from tests.integration.sdk.aichat import Aichat
from tests.unit.sdk.scripted import ScriptedServer, fail, reply

ONE = Money(currency_code="USD", units=1)
CENT = Money(currency_code="USD", nanos=10**7)


def line(number: int, *, proven: bool) -> invoices_pb2.VerifiedLine:
    return invoices_pb2.VerifiedLine(
        line=number, description=f"model-{number}", cost=ONE, amount=ONE, ledger_cost=ONE, ledger_amount=ONE,
        provider_amount=ONE if proven else CENT, event_count=2, first_event_time=Timestamp(seconds=1_709_208_000),
        last_event_time=Timestamp(seconds=1_709_208_060), first_generation_id="g1", last_generation_id="g2",
        sha256="abc", proven=proven,
    )  # fmt: skip


def proof(*lines: invoices_pb2.VerifiedLine, difference: str = "") -> pb.VerifyInvoiceResponse:
    return pb.VerifyInvoiceResponse(
        month="2024-02", stage=invoices_pb2.INVOICE_STAGE_PAID, number="AB-1", proven=not difference,
        difference=difference, ledger_cost=ONE, hourly_cost=ONE, total=ONE, lines=lines,
    )  # fmt: skip


async def test_each_line_has_a_tick(server: ScriptedServer, aichat: Aichat) -> None:
    server.on("VerifyInvoice", reply(proof(line(1, proven=True))))
    done = await aichat("invoices", "verify", "2024-02")
    assert done.code == 0
    assert done.out.splitlines() == [
        "✓   1        $1.00  model-1",
        "2024-02 AB-1: $1.00, paid; books $1.00, hours $1.00",
        "✓ proven",
    ]
    assert "2 events, 2024-02-29 12:00:00 to 2024-02-29 12:01:00 UTC" in done.err
    assert "sha256 abc" in done.err
    assert server.calls[0].request.month == "2024-02"


async def test_a_line_that_differs_has_a_cross_and_an_exit_code(server: ScriptedServer, aichat: Aichat) -> None:
    lines = line(1, proven=True), line(2, proven=False)
    server.on("VerifyInvoice", reply(proof(*lines, difference="line 2 differs at the payment provider")))
    done = await aichat("invoices", "verify", "2024-02")
    assert done.code == 1
    assert [shown[0] for shown in done.out.splitlines()] == ["✓", "✗", "2", "✗"]
    assert "charged $0.01" in done.err


async def test_a_month_without_an_invoice_is_reported(server: ScriptedServer, aichat: Aichat) -> None:
    server.on("VerifyInvoice", fail(grpc.StatusCode.NOT_FOUND, "INVOICE_NOT_FOUND", text="there is no invoice yet"))
    done = await aichat("invoices", "verify", "2024-02")
    assert (done.code, "there is no invoice yet" in done.err) == (1, True)
