"""Promise 17: operators may let answers go on that nobody reads, and switch off that calls continue them."""

from __future__ import annotations

from uuid import UUID, uuid4

import asyncpg
from aichat_sandbox.postgres import Postgres

from tests.e2e.calls import MODELS, script
from tests.fixtures.rows import connection
from tests.fixtures.server import ApiKey, RunServer
from tests.fixtures.vendors import Vendors
from tests.integration.compat.answers import Answer
from tests.integration.compat.caller import Caller
from tests.integration.conversations.asking import eventually, times_asked


async def test_abandoned_answers_go_on_and_repeated_calls_are_new_ones(
    run_server: RunServer, api_key: ApiKey, vendors: Vendors, postgres: Postgres
) -> None:
    words = [f"{uuid4()} ", *(f"word{n} " for n in range(20))]
    text = script(deltas=words, interval_ms=50)
    async with run_server(AICHAT_CANCEL_ABANDONED="false", AICHAT_REATTACH_SECONDS="0") as server:
        caller = Caller(server, api_key)
        cut = Answer(caller, "chat", MODELS[0], text, stream=True)
        await cut.until(b"word0")
        cut.leave()
        again = Answer(caller, "chat", MODELS[0], text, stream=True)
        assert b"word19" in await again.rest()

        async def charged() -> list[asyncpg.Record]:
            select = "SELECT output_tokens, error_reason FROM aichat.usage_events WHERE org_id = $1"
            async with connection(postgres.owner_url) as owner:
                return await owner.fetch(select, UUID(api_key.organization_id))

        first, second = await eventually(charged, lambda rows: len(rows) == 2)
        assert first == second
        assert first["error_reason"] is None
        assert times_asked(vendors, text) == 2
