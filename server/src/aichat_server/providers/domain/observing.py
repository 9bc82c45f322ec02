"""The events of vendors that operators can observe."""

from __future__ import annotations

from enum import StrEnum

from aichat_server.core.errors import Reason


class AfterFailure(StrEnum):
    """How a turn continued after its vendor had failed."""

    RETRIED = "retried"
    REPLACED = "replaced"
    """By a fallback."""
    FAILED = "failed"


class VendorObserver:
    """Observes vendors; this one ignores all events. Must be quick, and must not fail."""

    def vendor_failed(self, provider: str, reason: Reason, then: AfterFailure) -> None:
        """A vendor failed before its answer began."""
