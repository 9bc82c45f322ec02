"""Promise 17: a call that is repeated after its connection broke off gets the same answer, which is charged once."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from aichat_sandbox.platform import Platform

from tests.e2e.calls import MODELS
from tests.e2e.compat.cuts import GENERATION, SURFACES, Caller, without_heartbeats


@pytest.fixture(params=SURFACES)
def caller(platform: Platform, http: httpx.AsyncClient, request: pytest.FixtureRequest) -> Caller:
    """A raw client of each API."""
    http.headers["anthropic-version"] = "2023-06-01"
    return Caller(platform, http, SURFACES[request.param])


async def test_a_cut_stream_that_is_repeated_is_the_same_bytes(caller: Caller) -> None:
    body = caller.body(MODELS[0])
    generation_id, first = await caller.cut(body)
    await caller.back()
    _, second = await caller.cut(dict(reversed(body.items())))
    await caller.back()
    whole = await caller.whole(body)
    assert whole.headers[GENERATION] == generation_id
    for part in (first, second):
        assert without_heartbeats(whole.content).startswith(without_heartbeats(part))
    assert caller.surface.last in whole.content
    assert await caller.vendor_calls(body) == 1


@pytest.mark.parametrize("stream", [True, False])
async def test_what_was_read_whole_is_asked_anew(caller: Caller, *, stream: bool) -> None:
    body = caller.body(MODELS[1], stream=stream, interval_ms=0)
    first, second = await caller.whole(body), await caller.whole(body)
    assert first.headers[GENERATION] != second.headers[GENERATION]


async def test_a_call_that_was_cut_before_its_response_is_asked_once(caller: Caller) -> None:
    body = caller.body(MODELS[1], stream=False)
    await caller.cut_before(body)
    await caller.whole(body)
    assert await caller.vendor_calls(body) == 1


async def test_an_sdk_that_repeats_what_was_written_whole_gets_it_again(caller: Caller) -> None:
    body = caller.body(MODELS[2], stream=False, interval_ms=0)
    first = await caller.whole(body, **{"x-stainless-retry-count": "0"})
    retry = await caller.whole(body, **{"x-stainless-retry-count": "1"})
    assert retry.content == first.content
    assert await caller.vendor_calls(body) == 1


async def test_what_is_still_read_or_was_asked_apart_is_not_joined(caller: Caller, other_key: str) -> None:
    body = caller.body(MODELS[1])
    both = await asyncio.gather(caller.whole(body), caller.whole(body))
    cut, _ = await caller.cut(body)
    others = await asyncio.gather(
        caller.whole(body, authorization=f"Bearer {other_key}"), caller.whole(body, **{"x-aichat-reattach": "off"})
    )
    ids = [response.headers[GENERATION] for response in (*both, *others, await caller.whole(body))]
    assert len(set(ids)) == 5
    assert ids[-1] == cut


async def test_an_answer_that_nobody_comes_back_for_is_cancelled_and_not_joined(caller: Caller) -> None:
    body = caller.body(MODELS[1], deltas=["long "] * 2000)
    waits, _ = await caller.cut(body)
    at_once, _ = await caller.cut(body, **{"x-aichat-reattach": "off"})
    async with asyncio.timeout(30):
        while await caller.state(at_once) != "cancelled":
            await asyncio.sleep(0.05)
        while await caller.state(waits) != "cancelled":
            await asyncio.sleep(0.05)
    later, _ = await caller.cut(body, **{"x-stainless-retry-count": "1"})
    assert later != waits
