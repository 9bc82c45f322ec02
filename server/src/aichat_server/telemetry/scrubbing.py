"""Removes secrets from what operators read: logs, error reports, traces."""

from __future__ import annotations

import re
from collections.abc import Iterable

REMOVED = "[removed]"

# A line break is two characters in JSON, and the second is a letter.
_START = r"(?:(?<![0-9A-Za-z])|(?<=\\[nrt]))"
# The form of secrets that are in no setting: our API keys, tokens (JWT), vendors' keys, credentials in headers and
# addresses.
_SHAPES = (
    _START + r"ak_[0-9A-Za-z]{8,}",
    _START + r"eyJ[\w-]{8,}\.[\w-]+\.[\w-]*",
    _START + r"(?:sk|rk|whsec)[-_][\w-]{8,}",
    _START + r"AIza[\w-]{10,}",
    _START + r"(?i:(?:bearer|basic) +)[\w.~+/=-]{8,}",
    r"(?<=://)[^\s/@\"']+@",
)
# A shorter one would match ordinary words.
_SHORTEST = 8


class Scrubber:
    """Removes secrets from text."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """`secrets` are removed exactly, whatever their form."""
        known = sorted({re.escape(secret) for secret in secrets if len(secret) >= _SHORTEST}, key=len, reverse=True)
        pattern = "|".join((*known, *_SHAPES))
        self._text = re.compile(pattern)
        self._bytes = re.compile(pattern.encode())

    def text(self, text: str) -> str:
        """Returns the text without secrets."""
        return self._text.sub(REMOVED, text)

    def line(self, line: bytes) -> bytes:
        """The same for UTF-8 bytes."""
        return self._bytes.sub(REMOVED.encode(), line)
