"""Lists with pages. Generated from paging.py: do not edit."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic

from aichat_sdk._portal import Portal
from aichat_sdk.paging import ItemT, Page
from aichat_sdk.paging import Pager as AsyncPager

__all__ = ["Pager"]


class Pager(Generic[ItemT]):
    """A list: take its `page()`, or iterate over all items of all pages with `for`."""

    def __init__(self, inner: AsyncPager[ItemT], portal: Portal) -> None:
        self._inner = inner
        self._portal = portal

    def page(self) -> Page[ItemT]:
        """Fetches one page."""
        return self._portal.run(self._inner.page())

    def __iter__(self) -> Iterator[ItemT]:
        return self._portal.iterate(aiter(self._inner))

    def pages(self) -> Iterator[Page[ItemT]]:
        """Yields the pages; each is fetched when it is needed."""
        return self._portal.iterate(self._inner.pages())
