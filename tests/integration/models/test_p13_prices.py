"""Promise 13: a changed price applies from then on, and a model without one fails before its vendor is called."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import uuid4

from aichat.v1 import chat_pb2, models_pb2
from aichat_sandbox.postgres import Postgres
from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.pricing import BEGINNING, Price, PriceTier
from aichat_server.models.service import add_prices

from tests.fixtures.server import ApiKey, RunServer
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import ask, conversations, eventually, refusal, script, stream, times_asked
from tests.integration.generations.test_p02_ledger import books

LATER = datetime(2999, 1, 1, tzinfo=UTC)


async def test_a_price_that_changes_counts_from_then_on_without_a_restart(
    run_server: RunServer, api_key: ApiKey, postgres: Postgres, vendors: Vendors
) -> None:
    provider = f"v{uuid4().hex}"
    model = f"{provider}/m"
    endpoint = {
        "name": provider,
        "base_url": vendors.base_url("openai"),
        "api_key": "k",
        "models": [{"id": "m", "input_usd_per_mtok": 1, "output_usd_per_mtok": 1}],
    }
    settings = {"AICHAT_OPENAI_COMPATIBLE": json.dumps([endpoint]), "AICHAT_PRICE_REFRESH_SECONDS": "0.05"}
    async with run_server(**settings) as server:
        text = script(deltas=["free?"]) + str(uuid4())
        assert (await refusal(stream(server, api_key, text, model=model))).reason == "MODEL_UNKNOWN"
        assert times_asked(vendors, text) == 0
        assert await conversations(server, api_key) == []

        async def listed() -> list[int]:
            answer = await server.chat.ListModels(chat_pb2.ListModelsRequest(), metadata=api_key.metadata)
            (told,) = [one for one in answer.models if one.model == model] or [models_pb2.Model()]
            assert all(change.effective_time.seconds == LATER.timestamp() for change in told.price_changes)
            return [tiers[0].input.units for tiers in (told.prices, *(c.prices for c in told.price_changes)) if tiers]

        for dollars in (1, 3):
            now, later = (PriceTier(0, *([NanoUsd(price * 10**9)] * 6)) for price in (dollars, dollars + 1))
            prices = [Price(BEGINNING, (now,)), Price(LATER, (later,))]
            await add_prices(postgres.owner_url, {(provider, model): prices})
            # What is announced is told, and not charged.
            await eventually(listed, lambda found, dollars=dollars: found == [dollars, dollars + 1])  # type: ignore[misc]
            await ask(server, api_key, script(deltas=["yes"]), model=model)
    first, second = await books(postgres, api_key)
    assert first["price_version"] == BEGINNING < second["price_version"] <= second["occurred_at"]
    assert second["cost_nano_usd"] == 3 * first["cost_nano_usd"]
