"""Goes through all organisations: in pages, some of a page at once, and from where an unfinished run came to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar
from uuid import UUID

AT_ONCE = 16
"""How many are worked on at once. They share the database's connections, and wait for others' answers meanwhile."""

T = TypeVar("T")
Item = TypeVar("Item")


async def _forget(_: UUID | None) -> None:
    """Notes nothing."""


class Progress:
    """How far a run has come, by the order of organisations' ids."""

    def __init__(self, reached: UUID | None = None, note: Callable[[UUID | None], Awaitable[None]] = _forget) -> None:
        """`reached`: how far an earlier, unfinished run came. `note` is called with each next place."""
        self.reached = reached
        self._note = note

    async def reach(self, org_id: UUID | None) -> None:
        """All up to this one are done; None: all are, and the next run starts from the beginning."""
        await self._note(org_id)
        self.reached = org_id


async def at_once(items: Collection[Item], work: Callable[[Item], Awaitable[T]]) -> list[T]:
    """What comes of each, in their order; a few are worked on at once. The first that fails ends the others."""
    places = asyncio.Semaphore(AT_ONCE)

    async def one(item: Item) -> T:
        async with places:
            return await work(item)

    tasks = [asyncio.ensure_future(one(item)) for item in items]
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
