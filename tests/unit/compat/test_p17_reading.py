"""Promise 17: how a reader leaves says whether its answer waits for a retry."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress

import pytest
from aichat_server.compat.domain.readers import Left
from aichat_server.compat.service.reading import Reading
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.service.journal import HEARTBEAT, Events


async def events(error: BaseException | None = None) -> Events:
    """Two events, and then the end."""
    yield 1, HEARTBEAT
    yield 2, HEARTBEAT
    if error is not None:
        raise error


@pytest.mark.parametrize(
    ("error", "how"),
    [
        (None, Left.WHOLE),
        (AichatError(Reason.PROVIDER_STREAM_BROKEN, "broken"), None),
        (RuntimeError("a fault"), None),
        # Another replica may be writing the answer.
        (AichatError(Reason.SERVER_DRAINING, "stops"), Left.VANISHED),
        (asyncio.CancelledError(), Left.VANISHED),
    ],
)
async def test_who_reads_to_an_end_leaves_by_it(error: BaseException | None, how: Left | None) -> None:
    left = list[Left | None]()
    async with aclosing(Reading(events(error), left.append)) as reading:
        with suppress(AichatError, RuntimeError, asyncio.CancelledError):
            async for _ in reading:
                assert left == []
    assert left == [how]


@pytest.mark.parametrize("read", [0, 1, 2])
async def test_who_stops_before_the_end_has_vanished(read: int) -> None:
    left = list[Left | None]()
    async with aclosing(Reading(events(), left.append)) as reading:
        for _ in range(read):
            await anext(reading)
    assert left == [Left.VANISHED]
