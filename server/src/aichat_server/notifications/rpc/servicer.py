"""NotificationService."""

from __future__ import annotations

from pathlib import Path

from aichat.v1 import notifications_pb2 as pb
from aichat.v1.notifications_pb2_grpc import NotificationServiceServicer, add_NotificationServiceServicer_to_server
from google.api.httpbody_pb2 import HttpBody

from aichat_server.identity.service.caller import current_principal
from aichat_server.notifications.service.notifications import Notifications
from aichat_server.transport.call import Context

_PAGES = Path(__file__).with_name("unsubscribe")
# The page's address has the token, which nobody else may see; the page loads nothing.
_PAGE_HEADERS = (
    ("cache-control", "no-store"),
    ("referrer-policy", "no-referrer"),
    ("x-robots-tag", "noindex"),
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'"),
)


class NotificationServicer(NotificationServiceServicer):
    """Serves members' settings for e-mails, and the pages of unsubscribe links."""

    add_to = add_NotificationServiceServicer_to_server

    def __init__(self, notifications: Notifications) -> None:
        self._notifications = notifications
        self._ask, self._done = (_page(name) for name in ("ask", "done"))

    async def GetNotificationSettings(  # noqa: N802 — the contract names the methods
        self, _request: pb.GetNotificationSettingsRequest, _context: Context
    ) -> pb.GetNotificationSettingsResponse:
        """Gets the caller's settings."""
        wanted = await self._notifications.wants_quota_warnings(current_principal())
        return pb.GetNotificationSettingsResponse(settings=pb.NotificationSettings(quota_warnings=wanted))

    async def UpdateNotificationSettings(  # noqa: N802
        self, request: pb.UpdateNotificationSettingsRequest, _context: Context
    ) -> pb.UpdateNotificationSettingsResponse:
        """Changes the fields that are present."""
        change = request.quota_warnings if request.HasField("quota_warnings") else None
        wanted = await self._notifications.update(current_principal(), change)
        return pb.UpdateNotificationSettingsResponse(settings=pb.NotificationSettings(quota_warnings=wanted))

    async def ShowUnsubscribe(  # noqa: N802
        self, request: pb.ShowUnsubscribeRequest, context: Context
    ) -> pb.ShowUnsubscribeResponse:
        """Returns a page that asks for confirmation."""
        self._notifications.check(request.token)
        await context.send_initial_metadata(_PAGE_HEADERS)
        return pb.ShowUnsubscribeResponse(page=self._ask)

    async def Unsubscribe(  # noqa: N802
        self, request: pb.UnsubscribeRequest, context: Context
    ) -> pb.UnsubscribeResponse:
        """Ends the e-mails, and returns a page that confirms it."""
        await self._notifications.unsubscribe(request.token)
        await context.send_initial_metadata(_PAGE_HEADERS)
        return pb.UnsubscribeResponse(page=self._done)


def _page(name: str) -> HttpBody:
    file = _PAGES / f"{name}.html"
    return HttpBody(content_type="text/html; charset=utf-8", data=file.read_bytes())
