"""Iterates over all organisations: in pages, some of a page concurrently, and from where an unfinished run stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import TypeVar
from uuid import UUID

AT_ONCE = 16
"""How many are processed concurrently. They share the database's connections while others wait for responses."""

T = TypeVar("T")
Item = TypeVar("Item")


async def _forget(_: UUID | None) -> None:
    """Stores nothing."""


class Progress:
    """How far a run has got, in the order of organisations' ids."""

    def __init__(self, reached: UUID | None = None, note: Callable[[UUID | None], Awaitable[None]] = _forget) -> None:
        """`reached`: how far an earlier, unfinished run got. `note` is called with each next place."""
        self.reached = reached
        self._note = note

    async def reach(self, org_id: UUID | None) -> None:
        """Records that all up to this one are done; None: all are, and the next run starts from the beginning."""
        await self._note(org_id)
        self.reached = org_id


async def at_once(items: Collection[Item], work: Callable[[Item], Awaitable[T]]) -> list[T]:
    """Returns the results in order; a few run concurrently. The first failure cancels the others."""
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
