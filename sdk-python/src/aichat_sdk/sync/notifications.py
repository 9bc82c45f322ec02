"""Which e-mails the platform sends. Generated from notifications.py: do not edit."""

from __future__ import annotations

from aichat_sdk._portal import Portal
from aichat_sdk.notifications import Notifications as AsyncNotifications
from aichat_sdk.types import NotificationSettings

__all__ = ["Notifications"]


class Notifications:
    """`client.notifications`: the e-mails of the member to whom the client's API key belongs."""

    def __init__(self, inner: AsyncNotifications, portal: Portal) -> None:
        self._inner = inner
        self._portal = portal

    def get(self, *, timeout: float | None = None) -> NotificationSettings:
        """Returns which e-mails the member gets."""
        return self._portal.run(self._inner.get(timeout=timeout))

    def update(self, *, quota_warnings: bool | None, timeout: float | None = None) -> NotificationSettings:
        """Turns e-mails on or off; None leaves them unchanged."""
        return self._portal.run(self._inner.update(quota_warnings=quota_warnings, timeout=timeout))
