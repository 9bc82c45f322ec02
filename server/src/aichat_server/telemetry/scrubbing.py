"""Takes secrets out of what leaves the process for operators to read: logs, error reports, traces."""

from __future__ import annotations

import re
from collections.abc import Iterable

REMOVED = "[removed]"

# A line break is two characters in JSON, of which the second is a letter.
_START = r"(?:(?<![0-9A-Za-z])|(?<=\\[nrt]))"
# What secrets look like that no setting tells: our API keys, tokens (JWT), vendors' keys, credentials in headers and
# in addresses.
_SHAPES = (
    _START + r"ak_[0-9A-Za-z]{8,}",
    _START + r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*",
    _START + r"(?:sk|rk|whsec)[-_][\w-]{8,}",
    _START + r"AIza[\w-]{10,}",
    _START + r"(?i:(?:bearer|basic) +)[\w.~+/=-]{8,}",
    r"(?<=://)[^\s/@\"']+@",
)
# A shorter one would be found in words.
_SHORTEST = 8


class Scrubber:
    """Removes secrets from text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """`secrets` are removed as they are, whatever they look like."""
        known = sorted({re.escape(secret) for secret in secrets if len(secret) >= _SHORTEST}, key=len, reverse=True)
        pattern = "|".join((*known, *_SHAPES))
        self._text = re.compile(pattern)
        self._bytes = re.compile(pattern.encode())

    def text(self, text: str) -> str:
        """The text without secrets."""
        return self._text.sub(REMOVED, text)

    def line(self, line: bytes) -> bytes:
        """The same for bytes of UTF-8."""
        return self._bytes.sub(REMOVED.encode(), line)
