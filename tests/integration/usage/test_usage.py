"""UsageService, as callers use it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import grpc
import pytest
from aichat.v1 import quotas_pb2
from aichat.v1 import usage_pb2 as pb
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.core.errors import Reason
from aichat_server.core.money import NanoUsd
from aichat_server.identity.service.organizations import MintedKey, Organizations
from aichat_server.quotas.domain import QuotaName, QuotaPeriod, QuotaScope
from aichat_server.quotas.service import Quotas
from aichat_server.usage.service.rollups import Rollups
from google.protobuf.timestamp_pb2 import Timestamp
from google.rpc.error_details_pb2 import BadRequest

from tests.fixtures.rpc import Client, bearer, refusal
from tests.integration.quotas.ledger import begin, spend
from tests.integration.usage.books import DAY, HOUR, LATER, NOON, Entry, add, member, stamp

TOKYO = "Asia/Tokyo"
KOLKATA = "Asia/Kolkata"


def query(start: datetime, end: datetime, **fields: object) -> pb.QueryUsageRequest:
    return pb.QueryUsageRequest(start_time=stamp(start), end_time=stamp(end), **fields)  # type: ignore[arg-type]


@pytest.fixture
async def other_key(database: Database, request: pytest.FixtureRequest) -> MintedKey:
    return await Organizations(database).mint_key(f"other {request.node.nodeid}")


@pytest.mark.parametrize("rolled", [False, True])
async def test_usage_is_grouped_by_day_and_model(
    client: Client, key: MintedKey, postgres: Postgres, database: Database, rolled: bool
) -> None:
    entries = [
        Entry(NOON, 5, model="a", first_delta_ms=100, duration_ms=1_000),
        Entry(NOON + HOUR, 10**9, model="b", estimated=True),
        Entry(NOON + DAY, 7, model="a", error="PROVIDER_TIMEOUT"),
        Entry(NOON + DAY, model="a", error="PROVIDER_TIMEOUT", used=False),
        Entry(NOON + DAY, 1, model="a", error="GENERATION_CANCELLED"),
    ]
    await add(postgres, member(key), *entries)
    if rolled:
        await Rollups(database).run(LATER)
    request = query(NOON - DAY, NOON + 5 * DAY, bucket=pb.USAGE_BUCKET_DAY, group_by=[pb.USAGE_DIMENSION_MODEL])
    request.include_latency = True
    answer = await client.usage.QueryUsage(request, metadata=bearer(key.api_key))

    midnight = NOON - 12 * HOUR
    assert [(row.start_time.ToDatetime(UTC), row.model, row.totals.turns) for row in answer.rows] == [
        (midnight, "a", 1), (midnight, "b", 1), (midnight + DAY, "a", 3),
    ]  # fmt: skip
    assert all(row.end_time.ToDatetime(UTC) - row.start_time.ToDatetime(UTC) == DAY for row in answer.rows)
    total = answer.total
    assert (total.turns, total.errors, total.estimated_turns) == (5, 3, 1)
    assert (total.cost.currency_code, total.cost.units, total.cost.nanos) == ("USD", 1, 13)
    assert [(error.reason, error.count) for error in total.errors_by_reason] == [
        ("PROVIDER_TIMEOUT", 2), ("GENERATION_CANCELLED", 1),
    ]  # fmt: skip
    usage = total.usage
    assert (usage.input_tokens, usage.cache_read_tokens, usage.cache_write_tokens) == (40, 4, 8)
    assert (usage.output_tokens, usage.reasoning_tokens, usage.estimated) == (80, 12, True)
    assert not answer.rows[0].totals.usage.estimated
    assert (total.first_delta.p50_ms, total.duration.p99_ms) == (100, 1_000)
    assert answer.rows[0].totals.HasField("duration")
    assert not answer.rows[2].totals.HasField("duration"), "nothing completed"
    assert answer.time_zone == "UTC"


async def test_percentiles_are_of_the_turns_themselves(
    client: Client, key: MintedKey, postgres: Postgres, database: Database
) -> None:
    await add(postgres, member(key), *(Entry(NOON + ms * HOUR / 50, duration_ms=ms) for ms in range(1, 101)))
    await Rollups(database).run(NOON + HOUR)
    request = query(NOON, NOON + DAY, include_latency=True)
    duration = (await client.usage.QueryUsage(request, metadata=bearer(key.api_key))).total.duration
    assert (duration.p50_ms, duration.p90_ms, duration.p99_ms) == (50, 90, 99)


@pytest.mark.parametrize("rolled", [False, True])
async def test_usage_is_grouped_by_caller_and_conversation(
    client: Client, key: MintedKey, postgres: Postgres, database: Database, rolled: bool
) -> None:
    colleague, talk = UUID(int=5), UUID(int=6)
    await add(
        postgres, member(key), Entry(cost=1, key=key.key_id), Entry(cost=2, member=colleague, conversation=talk),
        Entry(cost=4, provider="other", conversation=talk),
    )  # fmt: skip
    if rolled:
        await Rollups(database).run(LATER)

    async def costs(dimension: pb.UsageDimension.ValueType, field: str) -> dict[str, int]:
        request = query(NOON, NOON + HOUR, group_by=[dimension])
        answer = await client.usage.QueryUsage(request, metadata=bearer(key.api_key))
        assert answer.total.cost.nanos == 7
        return {getattr(row, field): row.totals.cost.nanos for row in answer.rows}

    assert await costs(pb.USAGE_DIMENSION_MEMBER, "member_id") == {str(key.member_id): 5, str(colleague): 2}
    assert await costs(pb.USAGE_DIMENSION_KEY, "key_id") == {str(key.key_id): 1, "": 6}
    assert await costs(pb.USAGE_DIMENSION_PROVIDER, "provider") == {"vendor": 3, "other": 4}
    assert await costs(pb.USAGE_DIMENSION_CONVERSATION, "conversation_id") == {str(UUID(int=7)): 1, str(talk): 6}


@pytest.mark.parametrize("rolled", [False, True])
@pytest.mark.parametrize("zone", [TOKYO, KOLKATA, "America/New_York"])
async def test_days_are_those_of_the_time_zone(
    client: Client, key: MintedKey, postgres: Postgres, database: Database, rolled: bool, zone: str
) -> None:
    # A turn in each quarter of an hour around the clock change in New York; its costs add up to each day's.
    start = datetime(2026, 3, 7, tzinfo=UTC)
    moments = [start + number * timedelta(minutes=15) for number in range(4 * 72)]
    await add(postgres, member(key), *(Entry(moment, 2**5) for moment in moments))
    if rolled:
        await Rollups(database).run(LATER)
    assert await Organizations(database).set_time_zone(key.org_id, zone)
    request = query(start, start + 3 * DAY, bucket=pb.USAGE_BUCKET_DAY)
    answer = await client.usage.QueryUsage(request, metadata=bearer(key.api_key))
    assert answer.time_zone == zone
    for row in answer.rows:
        begin, end = row.start_time.ToDatetime(UTC), row.end_time.ToDatetime(UTC)
        assert row.totals.turns == sum(begin <= moment < end for moment in moments) == (end - begin) * 4 // HOUR
    assert sum(row.totals.turns for row in answer.rows) == len(moments) == answer.total.turns
    lengths = {TOKYO: [15, 24, 24, 9], KOLKATA: [18.5, 24, 24, 5.5], "America/New_York": [5, 24, 23, 20]}
    found = [(row.end_time.seconds - row.start_time.seconds) / 3600 for row in answer.rows]
    assert found == lengths[zone]


@pytest.mark.parametrize("rolled", [False, True])
async def test_a_range_includes_its_first_moment_and_not_its_last(
    client: Client, key: MintedKey, postgres: Postgres, database: Database, rolled: bool
) -> None:
    tick = timedelta(microseconds=1)
    start, end = NOON + timedelta(minutes=10), NOON + 2 * HOUR + timedelta(minutes=20)
    await add(postgres, member(key), *(Entry(at) for at in (start - tick, start, NOON + HOUR, end - tick, end)))
    if rolled:
        await Rollups(database).run(LATER)
    for bucket in (pb.USAGE_BUCKET_UNSPECIFIED, pb.USAGE_BUCKET_HOUR):
        answer = await client.usage.QueryUsage(query(start, end, bucket=bucket), metadata=bearer(key.api_key))
        assert answer.total.turns == 3
        assert answer.rows[0].start_time.ToDatetime(UTC) == start
        assert answer.rows[-1].end_time.ToDatetime(UTC) == end


async def test_what_was_used_by_others_is_not_seen(
    client: Client, key: MintedKey, other_key: MintedKey, postgres: Postgres, database: Database
) -> None:
    await add(postgres, member(other_key), Entry(NOON), Entry(NOON + 5 * HOUR))
    await Rollups(database).run(NOON + HOUR)
    headers = bearer(key.api_key)
    answer = await client.usage.QueryUsage(query(NOON, NOON + DAY), metadata=headers)
    assert (answer.total.turns, len(answer.rows)) == (0, 0)
    events = pb.ListUsageEventsRequest(start_time=stamp(NOON), end_time=stamp(NOON + DAY))
    assert not (await client.usage.ListUsageEvents(events, metadata=headers)).events


async def test_quotas_show_what_is_left_and_the_forecast(client: Client, key: MintedKey, database: Database) -> None:
    principal = member(key)
    for scope, owner in ((QuotaScope.KEY, key.key_id), (QuotaScope.ORGANIZATION, key.org_id)):
        name = QuotaName(scope, owner, QuotaPeriod.DAY)
        await Quotas(database).set(key.org_id, name, NanoUsd(1_000), NanoUsd(900) if scope is QuotaScope.KEY else None)
    await begin(database, principal, 300)
    now = datetime.now(UTC)
    await spend(database, principal, 400)
    told = (await client.usage.GetQuotas(pb.GetQuotasRequest(), metadata=bearer(key.api_key))).quotas
    first, of_the_plan, second = told
    assert (of_the_plan.scope, of_the_plan.period) == (
        quotas_pb2.QUOTA_SCOPE_ORGANIZATION,
        quotas_pb2.QUOTA_PERIOD_MONTH,
    )
    assert (first.scope, first.scope_id, first.period) == (
        quotas_pb2.QUOTA_SCOPE_ORGANIZATION, str(key.org_id), quotas_pb2.QUOTA_PERIOD_DAY,
    )  # fmt: skip
    assert (first.hard_limit.nanos, first.used.nanos, first.held.nanos, first.remaining.nanos) == (1_000, 400, 300, 300)
    assert not first.HasField("soft_limit")
    assert (second.scope, second.soft_limit.nanos) == (quotas_pb2.QUOTA_SCOPE_KEY, 900)
    begins, ends = first.start_time.ToDatetime(UTC), first.reset_time.ToDatetime(UTC)
    assert ends - begins == DAY
    assert begins <= now < ends + timedelta(minutes=1)
    assert 400 <= first.forecast.nanos <= 400 * 24


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (pb.QueryUsageRequest(end_time=stamp(NOON)), "start_time"),
        (pb.QueryUsageRequest(start_time=stamp(NOON)), "end_time"),
        (query(NOON, NOON), ""),
        (query(NOON, NOON - HOUR), ""),
        (query(NOON, NOON + 400 * DAY + HOUR), ""),
        (query(NOON, NOON + 31 * DAY + HOUR, bucket=pb.USAGE_BUCKET_HOUR), ""),
        (query(NOON, NOON + 31 * DAY + HOUR, group_by=[pb.USAGE_DIMENSION_CONVERSATION]), ""),
        (query(NOON, NOON + DAY, group_by=[pb.USAGE_DIMENSION_KEY] * 2), "group_by"),
        (query(NOON, NOON + DAY, group_by=[pb.USAGE_DIMENSION_UNSPECIFIED]), "group_by[0]"),
        (query(NOON, NOON + DAY, bucket=9), "bucket"),
        (query(NOON, NOON + DAY, time_zone="Europe/Atlantis"), "time_zone"),
        (query(NOON, NOON + DAY, time_zone="Europe"), "time_zone"),
        (query(NOON, NOON + DAY, time_zone="../../etc/passwd"), "time_zone"),
        (query(NOON, NOON + DAY, time_zone="/etc/localtime"), "time_zone"),
        (query(NOON.replace(year=1999), NOON), "start_time"),
        (pb.QueryUsageRequest(start_time=Timestamp(seconds=-62135596800), end_time=stamp(NOON)), "start_time"),
        (pb.QueryUsageRequest(start_time=stamp(NOON), end_time=Timestamp(seconds=10**15)), "end_time"),
        (query(NOON.replace(year=2099), NOON.replace(year=2100)), "end_time"),
    ],
)
async def test_bad_queries_are_refused_with_the_reason(
    client: Client, key: MintedKey, request_: pb.QueryUsageRequest, field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.usage.QueryUsage(request_, metadata=bearer(key.api_key))
    refused = refusal(caught.value)
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, Reason.REQUEST_INVALID)
    broken = BadRequest()
    assert refused.status.details[1].Unpack(broken)
    assert field in [violation.field for violation in broken.field_violations]


async def test_a_report_of_too_many_rows_is_refused(
    client: Client, key: MintedKey, postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aichat_server.usage.storage.usage.MOST_ROWS", 3)
    await add(postgres, member(key), *(Entry(NOON + number * HOUR) for number in range(4)))
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await client.usage.QueryUsage(
            query(NOON, NOON + DAY, bucket=pb.USAGE_BUCKET_HOUR), metadata=bearer(key.api_key)
        )
    assert refusal(caught.value).reason is Reason.REQUEST_INVALID
    assert "more than" in refusal(caught.value).status.message
