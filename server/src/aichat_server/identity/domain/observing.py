"""The events of callers that operators can observe."""

from __future__ import annotations

from enum import StrEnum


class KeyRefusal(StrEnum):
    """Why an API key was refused."""

    MALFORMED = "malformed"
    """Its checksum is wrong: no platform ever created it."""
    UNKNOWN = "unknown"
    REVOKED = "revoked"
    EXPIRED = "expired"


class KeyObserver:
    """Observes API keys; this one ignores all events. Must be quick, and must not fail."""

    def key_refused(self, why: KeyRefusal) -> None:
        """A call had an invalid API key."""
