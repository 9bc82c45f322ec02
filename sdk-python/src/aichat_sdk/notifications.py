"""Which e-mails the platform sends."""

from __future__ import annotations

from aichat_sdk import _methods as methods
from aichat_sdk._proto.aichat import v1
from aichat_sdk._transport import Transport
from aichat_sdk.errors import ServerError
from aichat_sdk.types import NotificationSettings

__all__ = ["Notifications"]


class Notifications:
    """`client.notifications`: the e-mails of the member to whom the client's API key belongs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def get(self, *, timeout: float | None = None) -> NotificationSettings:
        """Returns which e-mails the member gets."""
        request = v1.GetNotificationSettingsRequest()
        response = await self._transport.call(methods.GET_NOTIFICATION_SETTINGS, request, timeout=timeout)
        return _present(response.settings)

    async def update(self, *, quota_warnings: bool | None, timeout: float | None = None) -> NotificationSettings:
        """Turns e-mails on or off; None leaves them unchanged."""
        request = v1.UpdateNotificationSettingsRequest(quota_warnings=quota_warnings)
        response = await self._transport.call(methods.UPDATE_NOTIFICATION_SETTINGS, request, timeout=timeout)
        return _present(response.settings)


def _present(settings: NotificationSettings | None) -> NotificationSettings:
    if settings is None:
        raise ServerError("the server left out the settings")
    return settings
