"""`aichat usage`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from aichat.v1 import messages_pb2, quotas_pb2
from aichat.v1 import usage_pb2 as pb
from google.type.money_pb2 import Money

from tests.integration.sdk.aichat import Aichat, on_a_terminal
from tests.unit.sdk.scripted import ScriptedServer, reply

FIRST = datetime(2026, 3, 1, 15, tzinfo=UTC)
"""The beginning of a day in Tokyo."""


def row(day: int, model: str, cents: int) -> pb.UsageRow:
    totals = pb.UsageTotals(turns=1, cost=Money(currency_code="USD", nanos=cents * 10**7))
    proto = pb.UsageRow(model=model, totals=totals)
    proto.start_time.FromDatetime(FIRST + timedelta(days=day))
    return proto


def script(server: ScriptedServer) -> None:
    usage = messages_pb2.Usage(input_tokens=10, cache_read_tokens=5, output_tokens=7)
    total = pb.UsageTotals(turns=4, errors=1, usage=usage, cost=Money(currency_code="USD", nanos=10**9 - 1))
    rows = [row(0, "cheap", 10), row(0, "dear", 30), row(1, "dear", 60)]
    server.on("QueryUsage", reply(pb.QueryUsageResponse(rows=rows, total=total, time_zone="Asia/Tokyo")))
    quota = quotas_pb2.QuotaState(
        scope=quotas_pb2.QUOTA_SCOPE_MEMBER, scope_id="m1", period=quotas_pb2.QUOTA_PERIOD_MONTH,
        hard_limit=Money(units=5), used=Money(units=1), forecast=Money(units=4),
    )  # fmt: skip
    server.on("GetQuotas", reply(pb.GetQuotasResponse(quotas=[quota])))


async def test_days_are_drawn_with_what_they_cost(server: ScriptedServer, aichat: Aichat) -> None:
    script(server)
    done = await aichat("usage", "--days", "2", "--time-zone", "Asia/Tokyo")
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0].split() == ["2026-03-02", "$0.40", "█" * 27]
    assert lines[1].split() == ["2026-03-03", "$0.60", "█" * 40]
    assert [line.split()[1:] for line in lines[3:5]] == [["dear", "$0.90"], ["cheap", "$0.10"]]
    assert "quota of member m1 per month: $1.00 of hard $5.00, at this pace $4.00" in lines
    assert "4 turns · 1 failed · 15 + 7 tokens · $0.999999999 · days of Asia/Tokyo" in done.err
    request = server.calls[0].request
    assert (list(request.group_by), request.bucket) == ([pb.USAGE_DIMENSION_MODEL], pb.USAGE_BUCKET_DAY)
    assert timedelta(days=1) < request.end_time.ToDatetime() - request.start_time.ToDatetime() < timedelta(days=3)


async def test_models_have_colours_on_a_terminal(server: ScriptedServer, aichat: Aichat) -> None:
    script(server)
    async with on_a_terminal(aichat, "usage") as (screen, process):
        await screen.until("at this pace")
        await process.wait()
    assert "\x1b[36m█" in screen.shown
    assert "\x1b[35m█" in screen.shown


async def test_nothing_used_and_wrong_usage(server: ScriptedServer, aichat: Aichat) -> None:
    server.on("QueryUsage", reply(pb.QueryUsageResponse(time_zone="UTC")))
    server.on("GetQuotas", reply(pb.GetQuotasResponse()))
    done = await aichat("usage", "--by", "conversation")
    assert (done.code, done.out, done.err) == (0, "", "no usage in this time\n")
    assert (await aichat("usage", "--days", "0")).code == 2
