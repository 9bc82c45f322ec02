"""What operators may want to see of callers."""

from __future__ import annotations

from enum import StrEnum


class KeyRefusal(StrEnum):
    """Why an API key was refused."""

    MALFORMED = "malformed"
    """Its checksum is wrong: no platform ever minted it."""
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    EXPIRED = "expired"


class KeyObserver:
    """Hears of API keys; this one ignores them. Must be quick, and must not fail."""

    def key_refused(self, why: KeyRefusal) -> None:
        """A call came with an API key that is not valid."""
