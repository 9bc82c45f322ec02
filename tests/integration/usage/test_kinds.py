"""Everything that handles usage handles every kind: a new kind in the table is missed nowhere."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aichat.v1 import messages_pb2, models_pb2
from aichat_sandbox.postgres import Postgres
from aichat_sdk import types
from aichat_sdk.types import input_tokens
from aichat_server.conversations.storage.messages import MessageRepository
from aichat_server.core.database.database import Database
from aichat_server.core.money import NanoUsd
from aichat_server.core.periods import month_of
from aichat_server.identity.domain.principals import Principal
from aichat_server.invoices.domain.statements import LedgerEvent, canonical
from aichat_server.invoices.service.checks import usage_lines
from aichat_server.invoices.storage.ledger import LedgerRepository
from aichat_server.models.domain.pricing import PriceTier, cost
from aichat_server.models.domain.usage import KINDS, Kind, Usage
from aichat_server.transport.values import usage_to_proto
from aichat_server.usage.domain import csv as usage_csv
from aichat_server.usage.domain.reports import UsageQuery
from aichat_server.usage.service.reports import UsageReports
from aichat_server.usage.service.rollups import Rollups

from tests.integration.conversations.turns import Turns, completed, failed, turn

COLUMNS = [kind.column for kind in KINDS]
PRICES = [kind.price for kind in KINDS if kind.price is not None]
NUMBERED: dict[str, Any] = {kind.name: number for number, kind in enumerate(KINDS, 11)}
EACH = Usage(**NUMBERED)
PRICED = [kind.name for kind in KINDS if kind.price is not None]


def alone(name: str, count: int = 7) -> Usage:
    """Returns a usage of one kind."""
    one: dict[str, Any] = {name: count}
    return Usage(**one)


def test_the_values_have_them() -> None:
    assert {field.name for field in fields(Usage)} == {kind.name for kind in KINDS} | {"estimated", "percent"}
    assert [field.name for field in fields(PriceTier)] == ["above", *PRICES]


def test_the_contract_has_them() -> None:
    assert {field.name for field in messages_pb2.Usage.DESCRIPTOR.fields} == {*COLUMNS, "estimated"}
    assert {field.name for field in models_pb2.ModelPrice.DESCRIPTOR.fields} == {*PRICES, "above_tokens"}
    told = usage_to_proto(EACH)
    assert [getattr(told, column) for column in COLUMNS] == [getattr(EACH, kind.name) for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_the_sdk_sums_up_those_of_the_input(kind: Kind) -> None:
    told: dict[str, Any] = {kind.column: 7}
    assert input_tokens(types.Usage(**told)) == alone(kind.name).total_input == (7 if kind.is_input else 0)


@pytest.mark.parametrize("name", PRICED)
def test_each_has_its_price(name: str) -> None:
    tier = PriceTier(0, *(NanoUsd(1_000_000 * 10**number) for number in range(len(PRICES))))
    costs = {cost([tier], alone(other, 1_000_000)) for other in PRICED}
    assert len(costs) == len(PRICED)
    assert cost([tier], alone(name, 0)) == 0


async def test_tables_and_functions_have_them(postgres: Postgres) -> None:
    owner = await asyncpg.connect(postgres.owner_url)
    try:
        for table in ("generations", "usage_events", "usage_hourly", "invoice_lines"):
            query = (
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'aichat' AND table_name = $1"
            )
            found = {row[0] for row in await owner.fetch(query, table)}
            assert found >= set(COLUMNS), table
        query = (
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'aichat' AND table_name = 'prices'"
        )
        assert {row[0] for row in await owner.fetch(query)} >= set(PRICES)
    finally:
        await owner.close()


async def test_an_answer_shows_them_from_its_end_to_its_invoice(database: Database, principal: Principal) -> None:
    begun = await Turns(database).begin(turn(principal))
    ended = await Turns(database).end(replace(completed(principal, begun), usage=EACH))
    now = datetime.now(UTC)
    async with database.session(principal.org_id, principal.actor) as session:
        stored = (await MessageRepository(session).list(begun.conversation_id, 10, None)).items[-1]
        (line,) = await usage_lines(LedgerRepository(session), month_of(now))
    reports = UsageReports(database)
    from_books = await reports.query(principal, UsageQuery(now - timedelta(hours=1), now + timedelta(hours=1)))
    await Rollups(database).run(now + timedelta(hours=2))
    from_sums = await reports.query(principal, UsageQuery(now - timedelta(hours=2), now + timedelta(hours=2)))
    events = await reports.events(principal, now - timedelta(hours=1), now + timedelta(hours=1), 10)
    assert ended
    assert ended.answer
    assert stored.answer
    told = [ended.answer.usage, stored.answer.usage, line.usage, from_books.total.usage, from_sums.total.usage]
    assert [*told, events.items[0].usage] == [EACH] * 6
    header, row = usage_csv.header().strip().split(","), usage_csv.lines(events.items).strip().split(",")
    cells = dict(zip(header, row, strict=True))
    assert {column: int(cells[column]) for column in COLUMNS} == dict(zip(COLUMNS, range(11, 99), strict=False))


@pytest.mark.parametrize("name", PRICED)
async def test_each_alone_is_worth_a_place_on_the_books(database: Database, principal: Principal, name: str) -> None:
    begun = await Turns(database).begin(turn(principal))
    await Turns(database).end(replace(failed(principal, begun), usage=alone(name)))
    now = datetime.now(UTC)
    events = await UsageReports(database).events(principal, now - timedelta(hours=1), now + timedelta(hours=1), 10)
    assert [event.usage for event in events.items] == [alone(name)]


@pytest.mark.parametrize("name", [kind.name for kind in KINDS])
def test_each_is_in_an_invoices_proof(name: str) -> None:
    moment, one = datetime(2026, 11, 1, tzinfo=UTC), UUID(int=1)
    without = LedgerEvent(moment, one, one, "a-vendor", "a-model", moment, Usage(), NanoUsd(0))
    assert canonical(replace(without, usage=alone(name))) != canonical(without)
