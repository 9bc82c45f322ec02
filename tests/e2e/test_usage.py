"""Usage over HTTP: sums as JSON, the ledger as a download."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import httpx
import pytest
from aichat_sandbox.platform import Platform

from tests.e2e.calls import MODEL, chat_events, error_of


@pytest.fixture
def range_() -> dict[str, str]:
    """Returns yesterday until tomorrow, in JSON's form."""
    now = datetime.now(UTC)
    day = timedelta(days=1)
    return {"start_time": f"{now - day:%Y-%m-%dT%H:%M:%SZ}", "end_time": f"{now + day:%Y-%m-%dT%H:%M:%SZ}"}


@pytest.fixture
async def asked(platform: Platform, free_key: str) -> AsyncGenerator[httpx.AsyncClient, None]:
    """A client of an organisation that has asked one question."""
    headers = {"authorization": f"Bearer {free_key}"}
    async with httpx.AsyncClient(base_url=platform.http, headers=headers, timeout=20) as client:
        await chat_events(client, "Count me")
        yield client


async def test_sums_are_there_at_once(asked: httpx.AsyncClient, range_: dict[str, str]) -> None:
    query = {**range_, "bucket": "USAGE_BUCKET_DAY", "time_zone": "Asia/Tokyo", "include_latency": "true"}
    params = httpx.QueryParams(query).add("group_by", "USAGE_DIMENSION_MODEL").add("group_by", "USAGE_DIMENSION_KEY")
    answer = await asked.get("/v1/usage", params=params)
    assert answer.status_code == 200, answer.text
    (row,) = answer.json()["rows"]
    total = answer.json()["total"]
    assert (row["model"], row["totals"]["turns"], answer.json()["time_zone"]) == (MODEL, "1", "Asia/Tokyo")
    assert int(total["first_delta"]["p50_ms"]) <= int(total["duration"]["p50_ms"])
    assert (total["errors"], total["usage"]["estimated"]) == ("0", False)
    (event,) = (await asked.get("/v1/usage/events", params=range_)).json()["events"]
    assert event["cost"] == total["cost"] != {}
    assert row["key_id"] == event["key_id"] != ""
    # The plan's own quota.
    (quota,) = (await asked.get("/v1/usage/quotas")).json()["quotas"]
    assert (quota["scope"], quota["used"]) == ("QUOTA_SCOPE_ORGANIZATION", total["cost"])


async def test_the_ledger_is_a_download(asked: httpx.AsyncClient, range_: dict[str, str]) -> None:
    answer = await asked.get("/v1/usage/events:export", params=range_)
    assert (answer.status_code, answer.headers["content-type"].split(";")[0]) == (200, "text/csv")
    assert answer.headers["content-disposition"] == 'attachment; filename="usage.csv"'
    (row,) = csv.DictReader(io.StringIO(answer.text, newline=""))
    assert row["model"] == MODEL
    assert Decimal(row["cost_usd"]) > 0


async def test_a_refused_download_is_an_error_and_no_file(asked: httpx.AsyncClient, range_: dict[str, str]) -> None:
    answer = await asked.get("/v1/usage/events:export", params={"start_time": range_["start_time"]})
    assert error_of(answer)[:2] == (400, "REQUEST_INVALID")
    assert "content-disposition" not in answer.headers
