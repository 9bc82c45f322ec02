"""Lists with pages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

__all__ = ["Page", "Pager"]

ItemT = TypeVar("ItemT")


@dataclass(frozen=True, slots=True)
class Page(Generic[ItemT]):
    """One page of a list."""

    items: list[ItemT]
    next_page_token: str
    """Fetches the next page; empty on the last one."""


class Pager(Generic[ItemT]):
    """A list: `await` it for one page, or iterate over all items of all pages with `async for`."""

    def __init__(self, fetch: Callable[[str], Awaitable[Page[ItemT]]], page_token: str) -> None:
        self._fetch = fetch
        self._page_token = page_token

    def __await__(self) -> Generator[Any, Any, Page[ItemT]]:
        return self.page().__await__()

    async def page(self) -> Page[ItemT]:
        """Fetches one page; awaiting the list does the same."""
        return await self._fetch(self._page_token)

    async def __aiter__(self) -> AsyncIterator[ItemT]:
        async for page in self.pages():
            for item in page.items:
                yield item

    async def pages(self) -> AsyncIterator[Page[ItemT]]:
        """Yields the pages; each is fetched when it is needed."""
        page = await self
        yield page
        while page.next_page_token:
            page = await self._fetch(page.next_page_token)
            yield page
