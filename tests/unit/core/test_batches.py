from __future__ import annotations

import asyncio

import pytest
from aichat_server.core.database.batches import AT_ONCE, at_once


async def test_some_run_concurrently_and_results_keep_their_order() -> None:
    working, full = 0, asyncio.Event()

    async def work(number: int) -> int:
        nonlocal working
        working += 1
        assert working <= AT_ONCE
        if working == AT_ONCE:
            full.set()
        await full.wait()
        working -= 1
        return -number

    numbers = range(3 * AT_ONCE)
    assert await at_once(numbers, work) == [-number for number in numbers]


async def test_the_first_that_fails_ends_the_others() -> None:
    ended = list[int]()

    async def work(number: int) -> None:
        if number == 1:
            raise ZeroDivisionError
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    with pytest.raises(ZeroDivisionError):
        await at_once(range(3), work)
    assert ended == [0, 2]
