import asyncio

import pytest
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.stream import Heartbeat, StreamEvent
from aichat_server.generations.service.journal import Journal
from aichat_server.providers.domain.events import TextDelta

LONG = 3600.0


async def collect(journal: Journal) -> list[tuple[int, StreamEvent]]:
    return [item async for item in journal.read()]


async def test_every_reader_sees_all_events_numbered_from_one() -> None:
    journal = Journal(LONG)
    early = asyncio.create_task(collect(journal))
    journal.append(TextDelta("a"))
    await asyncio.sleep(0)
    journal.append(TextDelta("b"))
    journal.close()
    expected = [(1, TextDelta("a")), (2, TextDelta("b"))]
    assert await early == expected
    assert await collect(journal) == expected


async def test_a_failure_comes_after_all_events() -> None:
    journal = Journal(LONG)
    journal.append(TextDelta("a"))
    journal.close(AichatError(Reason.PROVIDER_STREAM_BROKEN, "broke off"))
    events = journal.read()
    assert await anext(events) == (1, TextDelta("a"))
    with pytest.raises(AichatError, match="broke off"):
        await anext(events)


async def test_silence_is_filled_with_heartbeats_that_repeat_the_last_number() -> None:
    journal = Journal(0.01)
    journal.append(TextDelta("a"))
    events = journal.read()
    assert await anext(events) == (1, TextDelta("a"))
    assert await anext(events) == (1, Heartbeat())
    assert await anext(events) == (1, Heartbeat())
    journal.append(TextDelta("b"))
    assert await anext(events) == (2, TextDelta("b"))
    await events.aclose()


async def test_heartbeats_ahead_of_the_first_event_have_no_number() -> None:
    journal = Journal(0.01)
    events = journal.read()
    assert await anext(events) == (0, Heartbeat())
    assert await anext(events) == (0, Heartbeat())
    journal.append(TextDelta("a"))
    assert await anext(events) == (1, TextDelta("a"))
    await events.aclose()


async def test_a_reader_that_disconnects_does_not_affect_the_others_or_the_journal() -> None:
    journal = Journal(LONG)
    gone = asyncio.create_task(collect(journal))
    stays = asyncio.create_task(collect(journal))
    await asyncio.sleep(0)
    gone.cancel()
    await asyncio.gather(gone, return_exceptions=True)
    journal.append(TextDelta("a"))
    journal.close()
    assert await stays == [(1, TextDelta("a"))]
