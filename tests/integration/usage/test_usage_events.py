"""The ledger, as callers read it: by pages, and as a file."""

from __future__ import annotations

import csv
import io

import grpc
import pytest
from aichat.v1 import usage_pb2 as pb
from aichat_sandbox.postgres import Postgres
from aichat_server.core.errors import Reason
from aichat_server.identity.service.organizations import MintedKey

from tests.fixtures.rpc import Client, bearer, refusal
from tests.integration.usage.books import DAY, HOUR, NOON, Entry, add, member, stamp


async def test_events_come_in_pages_the_oldest_first(client: Client, key: MintedKey, postgres: Postgres) -> None:
    # Two at the same moment must both be listed, too.
    entries = [Entry(NOON + number // 2 * HOUR, number) for number in range(7)]
    await add(postgres, member(key), *reversed(entries), Entry(NOON - HOUR), Entry(NOON + DAY))
    found: list[pb.UsageEvent] = []
    token = ""
    while True:
        request = pb.ListUsageEventsRequest(
            start_time=stamp(NOON), end_time=stamp(NOON + DAY), page_size=2, page_token=token
        )
        page = await client.usage.ListUsageEvents(request, metadata=bearer(key.api_key))
        found += page.events
        token = page.next_page_token
        if not token:
            break
    assert sorted(event.cost.nanos for event in found) == list(range(7))
    assert [event.occur_time.seconds for event in found] == sorted(event.occur_time.seconds for event in found)
    event = found[0]
    assert (event.model, event.provider, event.member_id, event.key_id) == ("model-1", "vendor", str(key.member_id), "")
    assert (event.usage.input_tokens, event.first_delta_ms, event.duration_ms) == (10, 100, 1_000)
    assert event.price_time.seconds == 0

    request.page_token = "nonsense"
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.usage.ListUsageEvents(request, metadata=bearer(key.api_key))
    assert refusal(caught.value).reason is Reason.PAGE_TOKEN_INVALID


async def test_the_ledger_is_one_csv_file_without_formulas(
    client: Client, key: MintedKey, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aichat_server.usage.service.reports._EVENTS_AT_ONCE", 3)
    entries = [Entry(NOON + number * HOUR, 1_500_000_000, model='=cmd|"x",y') for number in range(8)]
    entries.append(Entry(NOON + 9 * HOUR, 1, error="PROVIDER_TIMEOUT", first_delta_ms=None, key=key.key_id))
    await add(postgres, member(key), *entries)
    request = pb.ExportUsageEventsRequest(start_time=stamp(NOON), end_time=stamp(NOON + DAY))
    call = client.usage.ExportUsageEvents(request, metadata=bearer(key.api_key))
    pieces = [response.piece async for response in call]
    assert {piece.content_type for piece in pieces} == {"text/csv; charset=utf-8; header=present"}
    assert dict(await call.initial_metadata())["content-disposition"] == 'attachment; filename="usage.csv"'
    rows = list(csv.DictReader(io.StringIO(b"".join(piece.data for piece in pieces).decode(), newline="")))
    assert len(pieces) == 3
    assert [row["generation_id"] for row in rows] == [str(entry.generation) for entry in entries]
    assert rows[0]["model"] == '\'=cmd|"x",y'
    assert (rows[0]["cost_usd"], rows[0]["input_tokens"], rows[0]["occur_time"]) == (
        "1.5", "10", "2026-03-10T12:00:00.000000Z",
    )  # fmt: skip
    assert (rows[-1]["error_reason"], rows[-1]["first_delta_ms"], rows[-1]["cost_usd"]) == (
        "PROVIDER_TIMEOUT", "", "0.000000001",
    )  # fmt: skip
    assert rows[-1]["key_id"] == str(key.key_id)


async def test_an_empty_range_is_a_file_with_its_first_line(client: Client, key: MintedKey) -> None:
    request = pb.ExportUsageEventsRequest(start_time=stamp(NOON), end_time=stamp(NOON + DAY))
    call = client.usage.ExportUsageEvents(request, metadata=bearer(key.api_key))
    pieces = [response.piece async for response in call]
    assert b"".join(piece.data for piece in pieces).startswith(b"occur_time,generation_id,")
    assert len(pieces) == 1
