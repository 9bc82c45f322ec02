"""Anthropic's prompt cache: exact beginnings, written at breakpoints and found at most 20 places before one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from .anthropic_blocks import Block

LOOKBACK = 20
MOST_ENTRIES = 10_000
# The shortest prompts that are cached, in tokens.
SHORTEST = {
    "claude-opus-5": 512, "claude-sonnet-5-5": 512, "claude-fable-": 512, "claude-mythos-": 512, "claude-haiku-4": 4096,
}  # fmt: skip
DEFAULT_SHORTEST = 1024


class PromptCache:
    """The cache of all models and keys. Entries are kept until there are too many."""

    def __init__(self) -> None:
        self._entries: dict[str, None] = {}

    def use(self, model: str, key: str, blocks: Sequence[Block], *, writes: bool) -> tuple[int, int]:
        """Returns how many tokens are read and written, and writes them."""
        shortest = next((least for name, least in SHORTEST.items() if model.startswith(name)), DEFAULT_SHORTEST)
        hashes, totals = _chain(model + key, blocks)
        ends = [n for n, block in enumerate(blocks) if block.breaks and totals[n] >= shortest]
        if not ends:
            return 0, 0
        found = max((n for end in ends for n in _places(blocks, end) if hashes[n] in self._entries), default=None)
        read = totals[found] if found is not None else 0
        if writes:
            self._write([hashes[n] for n in ends])
        return read, max(totals[ends[-1]] - read, 0)

    def _write(self, hashes: Sequence[str]) -> None:
        self._entries |= dict.fromkeys(hashes)
        while len(self._entries) > MOST_ENTRIES:
            del self._entries[next(iter(self._entries))]


def _chain(seed: str, blocks: Sequence[Block]) -> tuple[list[str], list[int]]:
    """Returns for each block the hash of all up to it, and how many tokens that is."""
    hashes, totals, total = [], [], 0
    for block in blocks:
        seed = hashlib.sha256((seed + block.told).encode("utf-8", "surrogatepass")).hexdigest()
        total += block.tokens
        hashes.append(seed)
        totals.append(total)
    return hashes, totals


def _places(blocks: Sequence[Block], end: int) -> list[int]:
    """Returns where an entry is looked for: a run of calls is one place, and so is a run of results."""
    places: list[int] = []
    counted = 0
    for n in range(end, -1, -1):
        is_run = n < end and blocks[n].kind in ("tool_use", "tool_result") and blocks[n].kind == blocks[n + 1].kind
        counted += not is_run
        if counted > LOOKBACK:
            break
        places.append(n)
    return places
