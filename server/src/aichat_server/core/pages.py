"""Long lists, a page at a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

T = TypeVar("T")


class PageKey(NamedTuple):
    """The position of an item in its list: the time that the list is sorted by, then the item's id."""

    time: datetime
    id: UUID


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A part of a list."""

    items: tuple[T, ...]
    next: PageKey | None
    """The last item's position, after which the next page begins; None on the last page."""
