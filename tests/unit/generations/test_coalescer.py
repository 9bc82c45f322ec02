import asyncio

from aichat_server.generations.domain.stream import Delta
from aichat_server.generations.service.coalescer import Coalescer
from aichat_server.providers.domain.events import ReasoningDelta, TextDelta

WINDOW = 0.02
LONG = 3600.0


async def window_after() -> None:
    """Returns once a window is over that has begun by now: timers fire in the order of their times."""
    over = asyncio.Event()
    asyncio.get_running_loop().call_later(WINDOW, over.set)
    await over.wait()


class Emitted:
    """Collects what a coalescer passes on, and lets a test wait for the next piece."""

    def __init__(self) -> None:
        self.deltas: list[Delta] = []
        self._arrived = asyncio.Condition()
        self._loop = asyncio.get_running_loop()

    def __call__(self, delta: Delta) -> None:
        self.deltas.append(delta)
        self._notice = self._loop.create_task(self._notify())

    async def _notify(self) -> None:
        async with self._arrived:
            self._arrived.notify_all()

    async def until(self, count: int) -> list[Delta]:
        async with asyncio.timeout(10), self._arrived:
            await self._arrived.wait_for(lambda: len(self.deltas) >= count)
        return self.deltas


async def test_the_first_delta_goes_out_at_once() -> None:
    emitted = Emitted()
    Coalescer(LONG, emitted).add(TextDelta("a"))
    assert emitted.deltas == [TextDelta("a")]


async def test_later_deltas_of_one_window_are_merged() -> None:
    emitted = Emitted()
    coalescer = Coalescer(0.01, emitted)
    for text in ("a", "b", "c"):
        coalescer.add(TextDelta(text))
    assert await emitted.until(2) == [TextDelta("a"), TextDelta("bc")]


async def test_after_a_quiet_window_the_next_delta_goes_out_at_once() -> None:
    emitted = Emitted()
    coalescer = Coalescer(WINDOW, emitted)
    coalescer.add(TextDelta("a"))
    await window_after()
    coalescer.add(TextDelta("b"))
    assert emitted.deltas == [TextDelta("a"), TextDelta("b")]


async def test_after_a_window_with_deltas_the_next_one_waits_again() -> None:
    emitted = Emitted()
    coalescer = Coalescer(WINDOW, emitted)
    coalescer.add(TextDelta("a"))
    coalescer.add(TextDelta("b"))
    await window_after()
    coalescer.add(TextDelta("c"))
    assert emitted.deltas == [TextDelta("a"), TextDelta("b")]
    await window_after()
    assert emitted.deltas == [TextDelta("a"), TextDelta("b"), TextDelta("c")]


async def test_closing_passes_on_what_is_left() -> None:
    emitted = Emitted()
    coalescer = Coalescer(LONG, emitted)
    coalescer.add(TextDelta("a"))
    coalescer.add(TextDelta("b"))
    coalescer.close()
    assert emitted.deltas == [TextDelta("a"), TextDelta("b")]


async def test_reasoning_and_text_keep_their_order_and_are_not_mixed() -> None:
    emitted = Emitted()
    coalescer = Coalescer(LONG, emitted)
    for delta in (ReasoningDelta("r1"), ReasoningDelta("r2"), ReasoningDelta("r3"), TextDelta("t1"), TextDelta("t2")):
        coalescer.add(delta)
    coalescer.close()
    assert emitted.deltas == [ReasoningDelta("r1"), ReasoningDelta("r2r3"), TextDelta("t1t2")]


async def test_without_a_window_every_delta_goes_out_as_it_is() -> None:
    emitted = Emitted()
    coalescer = Coalescer(0, emitted)
    for text in ("a", "b", "c"):
        coalescer.add(TextDelta(text))
    assert emitted.deltas == [TextDelta("a"), TextDelta("b"), TextDelta("c")]
