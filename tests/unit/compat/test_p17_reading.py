"""Promise 17: how a reader leaves says whether its answer waits for a retry."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from uuid import uuid4

import pytest
from aichat_server.compat.domain.readers import Left, Reader, how_it_waits
from aichat_server.compat.service.reading import Reading
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.service.journal import HEARTBEAT, Events
from aichat_server.identity.domain.principals import Principal


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


@pytest.mark.parametrize(
    ("retries", "how", "rest", "waits"),
    [
        (None, Left.VANISHED, 0.0, (Left.VANISHED, 10.0)),
        (True, Left.VANISHED, 4.0, (Left.VANISHED, 10.0)),
        (None, Left.WHOLE, 0.0, None),
        (False, Left.WHOLE, 0.0, (Left.WHOLE, 10.0)),
        (None, Left.WHOLE, 4.0, (Left.REPEATED, 4.0)),
        (False, Left.WHOLE, 4.0, (Left.REPEATED, 4.0)),
        # The next retry of the same SDK may come later than that.
        (True, Left.WHOLE, 4.0, (Left.REPEATED, 10.0)),
        (True, Left.WHOLE, -1.0, (Left.WHOLE, 10.0)),
    ],
)
def test_an_answer_waits_for_as_long_as_its_retry_may_take(
    retries: bool | None, how: Left, rest: float, waits: tuple[Left, float] | None
) -> None:
    reader = Reader(Principal(uuid4(), uuid4()), slot=None, retries=retries)
    assert how_it_waits(reader, how, window=10.0, rest=rest) == waits
