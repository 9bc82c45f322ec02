import asyncio

from aichat_server.generations.service.coalescer import Coalescer
from aichat_server.providers.domain.events import Delta, ReasoningDelta, TextDelta


async def next_step() -> None:
    """Returns in the next step of the event loop, behind what is due in it already."""
    due = asyncio.Event()
    asyncio.get_running_loop().call_soon(due.set)
    await due.wait()


async def test_the_first_delta_goes_out_at_once() -> None:
    emitted: list[Delta] = []
    Coalescer(emitted.append, merges=True).add(TextDelta("a"))
    assert emitted == [TextDelta("a")]


async def test_deltas_of_one_step_are_merged() -> None:
    emitted: list[Delta] = []
    coalescer = Coalescer(emitted.append, merges=True)
    for text in ("a", "b", "c"):
        coalescer.add(TextDelta(text))
    assert emitted == [TextDelta("a")]
    await next_step()
    assert emitted == [TextDelta("a"), TextDelta("bc")]


async def test_deltas_of_two_steps_are_not_merged() -> None:
    emitted: list[Delta] = []
    coalescer = Coalescer(emitted.append, merges=True)
    for text in ("a", "b", "c"):
        coalescer.add(TextDelta(text))
        await next_step()
    assert emitted == [TextDelta("a"), TextDelta("b"), TextDelta("c")]


async def test_closing_passes_on_what_is_left() -> None:
    emitted: list[Delta] = []
    coalescer = Coalescer(emitted.append, merges=True)
    coalescer.add(TextDelta("a"))
    coalescer.add(TextDelta("b"))
    coalescer.close()
    assert emitted == [TextDelta("a"), TextDelta("b")]
    await next_step()
    assert emitted == [TextDelta("a"), TextDelta("b")]


async def test_reasoning_and_text_keep_their_order_and_are_not_mixed() -> None:
    emitted: list[Delta] = []
    coalescer = Coalescer(emitted.append, merges=True)
    for delta in (ReasoningDelta("r1"), ReasoningDelta("r2"), ReasoningDelta("r3"), TextDelta("t1"), TextDelta("t2")):
        coalescer.add(delta)
    coalescer.close()
    assert emitted == [ReasoningDelta("r1"), ReasoningDelta("r2r3"), TextDelta("t1t2")]


async def test_where_nothing_is_merged_every_delta_goes_out_as_it_is() -> None:
    emitted: list[Delta] = []
    coalescer = Coalescer(emitted.append, merges=False)
    for text in ("a", "b", "c"):
        coalescer.add(TextDelta(text))
    assert emitted == [TextDelta("a"), TextDelta("b"), TextDelta("c")]
