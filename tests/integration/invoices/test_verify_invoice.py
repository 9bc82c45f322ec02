"""VerifyInvoice, as callers use it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import pytest
from aichat.v1 import billing_pb2 as pb
from aichat.v1 import invoices_pb2
from aichat.v1.billing_pb2_grpc import BillingServiceStub
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.core.errors import Reason
from aichat_server.core.money import NanoUsd
from aichat_server.core.periods import month
from aichat_server.identity.service.organizations import MintedKey
from aichat_server.invoices.service.desk import InvoiceDesk
from aichat_server.invoices.storage.invoices import InvoiceRepository
from aichat_server.usage.service.rollups import Rollups
from google.type.money_pb2 import Money

from tests.fixtures.rows import connection
from tests.fixtures.rpc import Client, bearer, refusal
from tests.integration.usage.books import Entry, add, member

if TYPE_CHECKING:
    from aichat.v1.billing_pb2_grpc import BillingServiceAsyncStub

FEBRUARY = month(2024, 2)
NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)


@pytest.fixture
def billing(client: Client) -> BillingServiceAsyncStub:
    return BillingServiceStub(client.channel)


async def invoice(database: Database, key: MintedKey) -> None:
    async with database.session(key.org_id) as session:
        await InvoiceRepository(session).close(FEBRUARY)
    await Rollups(database).run(datetime(2035, 1, 1, tzinfo=UTC))
    desk = InvoiceDesk(database, None)
    await desk.adjust(key.org_id, NanoUsd(-1), adjustment_id=uuid4(), reason="Sorry", actor="ops")
    assert (await desk.invoices.bring_on(key.org_id, FEBRUARY)).trouble is None


async def test_an_invoice_is_proven_line_by_line(
    billing: BillingServiceAsyncStub, key: MintedKey, postgres: Postgres, database: Database
) -> None:
    # Free includes 5 USD.
    entries = [Entry(NOON, 4_000_000_001, model="a"), Entry(NOON, 3 * 10**9, model="b", tokens=6)]
    await add(postgres, member(key), *entries)
    await invoice(database, key)
    request = pb.VerifyInvoiceRequest(month="2024-02")
    proof = await billing.VerifyInvoice(request, metadata=bearer(key.api_key))
    assert (proof.proven, proof.difference, proof.stage, proof.number) == (
        True,
        "",
        invoices_pb2.INVOICE_STAGE_SETTLED,
        "",
    )
    assert proof.ledger_cost == proof.hourly_cost == Money(currency_code="USD", units=7, nanos=1)
    assert proof.total == Money(currency_code="USD", units=2)
    first, second = proof.lines
    assert (first.model, first.plan, first.event_count, first.proven) == ("a", "free", 1, True)
    assert first.included == first.cost == first.ledger_cost == Money(currency_code="USD", units=4, nanos=1)
    assert second.amount == second.ledger_amount == Money(currency_code="USD", units=2)
    assert second.usage.input_tokens == 6
    assert second.first_generation_id == second.last_generation_id == str(entries[1].generation)
    assert second.first_event_time.ToDatetime(UTC) == NOON
    assert second.sha256 == second.ledger_sha256 != first.sha256
    assert not second.HasField("provider_amount")


async def test_a_line_that_was_tampered_with_is_named(
    billing: BillingServiceAsyncStub, key: MintedKey, postgres: Postgres, database: Database
) -> None:
    await add(postgres, member(key), Entry(NOON, 10**9, model="a"), Entry(NOON, 10**9, model="b"))
    await invoice(database, key)
    async with connection(postgres.owner_url) as owner:
        change = "UPDATE aichat.invoice_lines SET cost_nano_usd = cost_nano_usd + 1 WHERE org_id = $1 AND line = 2"
        await owner.execute(change, key.org_id)
    proof = await billing.VerifyInvoice(pb.VerifyInvoiceRequest(month="2024-02"), metadata=bearer(key.api_key))
    assert (proof.proven, proof.difference) == (False, "line 2 differs from the ledger")
    assert [line.proven for line in proof.lines] == [True, False]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [("2024-03", Reason.INVOICE_NOT_FOUND), ("2024-13", Reason.REQUEST_INVALID), ("", Reason.REQUEST_INVALID)],
)
async def test_what_cannot_be_proven_is_refused(
    billing: BillingServiceAsyncStub, key: MintedKey, asked: str, reason: Reason
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await billing.VerifyInvoice(pb.VerifyInvoiceRequest(month=asked), metadata=bearer(key.api_key))
    assert refusal(refused.value).reason is reason


async def test_invoices_are_proven_to_owners_alone(
    billing: BillingServiceAsyncStub, key: MintedKey, postgres: Postgres
) -> None:
    async with connection(postgres.owner_url) as owner:
        await owner.execute("UPDATE aichat.members SET role = 'member' WHERE org_id = $1", key.org_id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await billing.VerifyInvoice(pb.VerifyInvoiceRequest(month="2024-02"), metadata=bearer(key.api_key))
    assert refusal(refused.value).reason is Reason.OWNER_REQUIRED
