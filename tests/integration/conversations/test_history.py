"""History of long messages: pages end early without omitting anything; models get as much as they accept."""

import json

from aichat.v1 import conversations_pb2
from aichat_sandbox.postgres import Postgres
from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.pricing import BEGINNING, Price, PriceTier
from aichat_server.models.service import add_prices

from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.fixtures.vendors import Vendors
from tests.integration.conversations.asking import ask, history, script

LONG = "x" * 1_000_000
CLIENTS_TAKE = 4 * 1024 * 1024


async def test_a_page_of_long_messages_ends_before_it_outgrows_what_clients_take(
    server: ServerUnderTest, api_key: ApiKey
) -> None:
    events = await ask(server, api_key, script(deltas=["a"]) + LONG)
    conversation = events[0].started.conversation_id
    for n in range(3):
        await ask(server, api_key, script(deltas=[str(n)]) + LONG, conversation_id=conversation)
    request, sizes, listed = conversations_pb2.ListMessagesRequest(conversation_id=conversation), [], []
    while True:
        page = await server.conversations.ListMessages(request, metadata=api_key.metadata)
        sizes.append(page.ByteSize())
        listed += [message.message_id for message in page.messages]
        if not page.next_page_token:
            break
        request.page_token = page.next_page_token
    assert len(sizes) == 2
    assert max(sizes) < CLIENTS_TAKE
    assert len(listed) == len(set(listed)) == 8


async def test_a_model_is_shown_the_newest_part_of_a_conversation_that_is_far_too_long_for_it(
    run_server: RunServer, vendors: Vendors, api_key: ApiKey, postgres: Postgres
) -> None:
    model = {"id": "short", "context_window": 100, "input_usd_per_mtok": 0, "output_usd_per_mtok": 0}
    endpoint = {"name": "window", "base_url": vendors.base_url("openai"), "api_key": "k", "models": [model]}
    free = NanoUsd(0)
    price = Price(BEGINNING, (PriceTier(0, *[free] * 6),))
    await add_prices(postgres.owner_url, {("window", "window/short"): [price]})
    async with run_server(AICHAT_OPENAI_COMPATIBLE=json.dumps([endpoint])) as server:
        first = await ask(server, api_key, script(deltas=["one"]) + "x" * 1000, model="window/short")
        place = {"model": "window/short", "conversation_id": first[0].started.conversation_id}
        for n in range(20):
            await ask(server, api_key, script(deltas=[f"answer {n}"]), **place)
        vendors.clear_log()
        await ask(server, api_key, script(deltas=["last"]), **place)
        assert len(await history(server, api_key, place["conversation_id"])) == 44
    (body,) = [entry["body"] for entry in vendors.log() if entry["body"]["model"] == "short"]
    shown = [message["content"] for message in body["messages"]]
    assert 3 < len(shown) < 30
    assert shown[-2:] == ["answer 19", script(deltas=["last"])]
