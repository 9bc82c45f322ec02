"""OpenAI's prompt cache: a beginning of at least 1,024 tokens, in steps of 128, for each model and key."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

LEAST_TOKENS, STEP = 1_024, 128
CHARACTERS = 4
"""Of a token, as `asked.tokens` counts them."""
WRITES = ("gpt-5.6", "gpt-6")
"""The models that count what is written to the cache."""


class Cache:
    """What is cached."""

    def __init__(self) -> None:
        self._seen: defaultdict[tuple[str, str], set[bytes]] = defaultdict(set)

    def read(self, model: str, key: str, texts: Sequence[str]) -> tuple[int, int]:
        """Returns how many tokens of the texts are read from the cache and written to it; they are cached from now."""
        seen = self._seen[model, key]
        read = size = 0
        for digest in _beginnings(texts):
            size += STEP
            if digest in seen:
                read = size
            seen.add(digest)
        if size < LEAST_TOKENS:
            return 0, 0
        read = read if read >= LEAST_TOKENS else 0
        return read, size - read if model.startswith(WRITES) else 0


def _beginnings(texts: Sequence[str]) -> Iterator[bytes]:
    """Yields a mark of each beginning of that many steps."""
    mark, count = hashlib.sha256(), 0
    for text in texts:
        for at in range(0, len(text), CHARACTERS):
            mark.update(text[at : at + CHARACTERS].encode("utf-8", "surrogatepass"))
            count += 1
            if count % STEP == 0:
                yield mark.digest()
        mark.update(b"\0")
