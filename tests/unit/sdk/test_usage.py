"""Usage, as a program requests it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import grpc
import pytest
from aichat.v1 import usage_pb2 as pb
from aichat_sdk import AsyncAIChat, InvalidRequestError, UnavailableError
from google.api.httpbody_pb2 import HttpBody

from tests.unit.sdk.scripted import ScriptedServer, fail, reply

START = datetime(2026, 3, 1, tzinfo=UTC)
END = START + timedelta(days=31)


def piece(data: bytes) -> pb.ExportUsageEventsResponse:
    return pb.ExportUsageEventsResponse(piece=HttpBody(data=data))


async def test_a_query_says_what_is_meant(server: ScriptedServer, client: AsyncAIChat) -> None:
    row = pb.UsageRow(model="model-1", totals=pb.UsageTotals(turns=2))
    server.on("QueryUsage", reply(pb.QueryUsageResponse(rows=[row], time_zone="Asia/Tokyo")))
    east = START.astimezone(timezone(timedelta(hours=9)))
    report = await client.usage.query(
        east, END, bucket="month", group_by=["model", "key"], time_zone="Asia/Tokyo", include_latency=True
    )
    assert [(one.model, one.totals.turns) for one in report.rows if one.totals] == [("model-1", 2)]
    request = server.calls[0].request
    assert request.start_time.ToDatetime(UTC) == START
    assert (request.bucket, list(request.group_by)) == (pb.USAGE_BUCKET_MONTH, [1, 4])
    assert (request.time_zone, request.include_latency) == ("Asia/Tokyo", True)


async def test_a_time_without_a_zone_is_refused(server: ScriptedServer, client: AsyncAIChat) -> None:
    naive = START.replace(tzinfo=None)
    for call in (client.usage.query(naive, END), client.usage.events(START, naive)):
        with pytest.raises(InvalidRequestError, match="time zone"):
            await call
    assert server.calls == []


async def test_events_of_all_pages(server: ScriptedServer, client: AsyncAIChat) -> None:
    pages = [pb.ListUsageEventsResponse(events=[pb.UsageEvent(model=name)], next_page_token=name) for name in ("a", "")]
    server.on("ListUsageEvents", *(reply(page) for page in pages))
    assert [event.model async for event in client.usage.events(START, END)] == ["a", ""]
    assert [call.request.page_token for call in server.calls] == ["", "a"]


async def test_an_export_begins_again_only_where_nothing_has_come(server: ScriptedServer, client: AsyncAIChat) -> None:
    away = fail(grpc.StatusCode.UNAVAILABLE, "SERVER_UNAVAILABLE")
    server.on("ExportUsageEvents", away, reply(piece(b"a,"), piece(b"b\n")))
    assert [piece async for piece in client.usage.export(START, END)] == [b"a,", b"b\n"]

    server.on("ExportUsageEvents", fail(grpc.StatusCode.UNAVAILABLE, "SERVER_UNAVAILABLE", piece(b"a,")))
    pieces = client.usage.export(START, END)
    assert await anext(pieces) == b"a,"
    with pytest.raises(UnavailableError):
        await anext(pieces)
    assert len(server.calls) == 3
