"""What operators may want to see of vendors."""

from __future__ import annotations

from enum import StrEnum

from aichat_server.core.errors import Reason


class AfterFailure(StrEnum):
    """What became of a turn whose vendor had failed."""

    RETRIED = "retried"
    REPLACED = "replaced"
    """By a fallback."""
    FAILED = "failed"


class VendorObserver:
    """Hears of vendors; this one ignores them. Must be quick, and must not fail."""

    def vendor_failed(self, provider: str, reason: Reason, then: AfterFailure) -> None:
        """A vendor failed before its answer began."""
