"""A vendor's counts for an answer: they arrive in pieces, some of them twice, and some of them wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Path = tuple[str, ...]

MOST_TOKENS = 20_000_000
"""More than any vendor counts for one answer: twice the longest context on offer."""
MOST_SEARCHES = 10_000
_SEARCHES = frozenset({"searches", "sources", "web_searches", "web_searches_beside"})
"""The figures that count searches instead of tokens."""
_ABSENT = object()


class Figures:
    """All figures reported so far for one answer.

    A later figure replaces an earlier one; figures are never added, and null, 0 or an invalid count never replaces one.
    """

    def __init__(self, paths: Mapping[str, Path]) -> None:
        """`paths`: by our name of a figure, its path in the vendor's usage object."""
        self.raw: dict[str, Any] = {}
        """The vendor's own usage object, merged."""
        self._paths = paths
        self._counts: dict[str, int] = {}
        self._doubted: set[str] = set()
        self._named: set[str] = set()

    def __getitem__(self, name: str) -> int:
        """Returns the figure with that name; 0 if none was valid."""
        return self._counts.get(name, 0)

    def __contains__(self, name: str) -> bool:
        """Whether that figure was ever reported, even as null."""
        return name in self._named

    def __bool__(self) -> bool:
        """Whether anything was counted."""
        return any(self._counts.values())

    @property
    def doubted(self) -> bool:
        """Whether a figure's last report is not a count: negative, absurd, a fraction, or not a number at all."""
        return bool(self._doubted)

    def take(self, told: object, *, whole: bool) -> dict[str, int]:
        """Reads a usage object, or any value in its place; returns the figures in it.

        `whole`: it repeats all figures, so that missing ones are 0, unless all are missing.
        """
        if not isinstance(told, Mapping):
            return {}
        self.raw.update({name: value for name, value in told.items() if value or name not in self.raw})
        found = {name: _at(told, path) for name, path in self._paths.items()}
        named = {name: value for name, value in found.items() if value is not _ABSENT}
        counts = {name: self._take(name, value) for name, value in named.items()}
        if whole and any(counts.values()):
            self._counts = {name: count for name, count in self._counts.items() if name in named}
        self._named.update(named)
        return {name: count for name, count in counts.items() if count is not None}

    def drop(self, name: str) -> None:
        """Forgets the reports of that figure."""
        self._counts.pop(name, None)

    def _take(self, name: str, value: object) -> int | None:
        if value is None:
            return None
        count = to_count(value, MOST_SEARCHES if name in _SEARCHES else MOST_TOKENS)
        if count is None:
            self._doubted.add(name)
            return None
        if count:
            self._doubted.discard(name)
            self._counts[name] = count
        return count


def to_count(value: object, most: int) -> int | None:
    """Returns `value` as a count of at most `most`; None if it is not one.

    Some vendors write integers as 12.0 or "12".
    """
    if isinstance(value, str):
        value = int(value) if value.isascii() and value.isdecimal() and len(value) <= len(str(most)) else None
    elif isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    return value if 0 <= value <= most else None


def _at(told: object, path: Path) -> object:
    for name in path:
        told = told.get(name, _ABSENT) if isinstance(told, Mapping) else _ABSENT
    return told
