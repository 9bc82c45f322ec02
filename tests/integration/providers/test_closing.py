"""A stream without readers is closed at the vendor at once."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from aichat_server.providers.domain.events import TextDelta
from aichat_server.providers.gateway.base import BaseAIProvider
from aichat_server.providers.gateway.factory import AIProviderFactory

from tests.fixtures.vendors import Vendors, answer, asking, scripted

ENDLESS = scripted(words=2000, interval_ms=10)


async def test_closing_the_generator_closes_the_vendors_stream(
    provider: BaseAIProvider, vendor: str, vendors: Vendors
) -> None:
    async with aclosing(provider.stream(asking(vendor, ENDLESS, max_output_tokens=10**6))) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    closed = await vendors.wait_for_log(lambda entry: entry["client_closed"])
    assert not closed["finished"]


@pytest.mark.parametrize("script", [ENDLESS, scripted(hang=True), scripted(words=3, hang_after=1)])
async def test_cancelling_the_reader_closes_the_vendors_stream(
    provider: BaseAIProvider, vendor: str, vendors: Vendors, script: str
) -> None:
    task = asyncio.create_task(answer(provider, asking(vendor, script, max_output_tokens=10**6)))
    await vendors.wait_for_log(lambda entry: entry["vendor"] == vendor)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await vendors.wait_for_log(lambda entry: entry["client_closed"])


async def test_a_connection_is_used_again_after_a_whole_answer(vendor: str, vendors: Vendors) -> None:
    vendors.clear_log()
    factory = AIProviderFactory([vendors.config(vendor)], window_seconds=0.05)
    for _ in range(5):
        assert (await answer(factory.get(vendor), asking(vendor, scripted(words=3)))).error is None
    assert len({entry["connection"] for entry in vendors.log()}) == 1
    await factory.aclose()
