"""Promise 2: what each vendor reports, in its documented forms, is counted in the right kinds at the right price."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from aichat_sandbox.postgres import Postgres
from aichat_sandbox.standins import VENDORS, settings_for
from aiohttp import web

from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.integration.conversations.asking import ask, refusal, stream

RECORDED = sorted((Path(__file__).parents[2] / "recorded/usage").glob("*.json"))
# A kind of usage and its price; reasoning is part of the output.
PRICED = {
    "input_tokens": "input",
    "cache_read_tokens": "cache_read",
    "cache_write_tokens": "cache_write",
    "cache_write_1h_tokens": "cache_write_1h",
    "output_tokens": "output",
}
ASKED = ("input_tokens", "cache_read_tokens", "cache_write_tokens", "cache_write_1h_tokens")


async def replay(request: web.Request) -> web.StreamResponse:
    """Answers with the recording that the message names; without the vendor's last event the connection breaks."""
    body = await request.text()
    (path,) = [path for path in RECORDED if path.stem in body]
    recorded = json.loads(path.read_text())
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    for event in recorded["events"]:
        data = event if isinstance(event, str) else json.dumps(event)
        await response.write(f"data: {data}\n\n".encode())
    if recorded["estimate_reason"] == "PROVIDER_STREAM_BROKEN" and request.transport is not None:
        request.transport.close()
    return response


@pytest.fixture(scope="module")
async def replaying(run_server: RunServer) -> AsyncGenerator[ServerUnderTest, None]:
    """A server whose vendors replay recordings."""
    app = web.Application()
    app.router.add_post("/{path:.*}", replay)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        host, port = runner.addresses[0][:2]
        async with run_server(**settings_for(VENDORS, f"http://{host}:{port}")) as server:
            yield server
    finally:
        await runner.cleanup()


async def booked(postgres: Postgres, key: ApiKey) -> tuple[dict[str, Any], dict[str, Any]]:
    """Returns the event in the ledger, and the price that it names."""
    owner = await asyncpg.connect(postgres.owner_url)
    try:
        row = await owner.fetchrow("SELECT * FROM aichat.usage_events WHERE org_id = $1", UUID(key.organization_id))
        assert row is not None
        asked = sum(row[name] for name in ASKED)
        price = await owner.fetchrow(
            "SELECT * FROM aichat.prices WHERE (provider, model, valid_from) = ($1, $2, $3) "
            "AND (above_tokens = 0 OR above_tokens < $4) ORDER BY above_tokens DESC LIMIT 1",
            *(row["provider"], row["model"], row["price_version"], asked),
        )
    finally:
        await owner.close()
    assert price is not None
    return dict(row), dict(price)


@pytest.mark.parametrize("path", RECORDED, ids=lambda path: path.stem)
async def test_a_recorded_usage_is_booked_as_its_vendor_means_it(
    replaying: ServerUnderTest, api_key: ApiKey, postgres: Postgres, path: Path
) -> None:
    recorded = json.loads(path.read_text())
    broken = recorded["estimate_reason"] == "PROVIDER_STREAM_BROKEN"
    async with asyncio.timeout(60):
        if broken:
            call = stream(replaying, api_key, path.stem, model=recorded["model"])
            assert (await refusal(call)).reason == "PROVIDER_STREAM_BROKEN"
        else:
            events = await ask(replaying, api_key, path.stem, model=recorded["model"])

    row, price = await booked(postgres, api_key)
    used = recorded["used"]
    assert {name: row[name] for name in used} == used
    assert json.loads(row["raw_usage"]) == recorded["raw_usage"]
    assert (row["estimate_reason"], row["quality"]) == (
        recorded["estimate_reason"], "estimated" if recorded["estimate_reason"] else "exact",
    )  # fmt: skip
    per_million = sum(used[name] * price[priced] for name, priced in PRICED.items())
    cost = -(-per_million // 1_000_000) + used["web_searches"] * price["web_search"]
    assert row["cost_nano_usd"] == cost > 0
    if not broken:
        message = events[-1].completed.message
        assert message.cost.units * 10**9 + message.cost.nanos == cost
        assert {name: getattr(message.usage, name) for name in used} == used


def test_every_vendor_is_recorded() -> None:
    assert {path.stem.split("-")[0] for path in RECORDED} == {vendor.provider for vendor in VENDORS}
