"""The client."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from aichat_sdk._settings import ClientSettings, is_loopback, resolve_api_key, resolve_endpoint
from aichat_sdk._transport import Transport
from aichat_sdk.billing import Billing
from aichat_sdk.chat import Chat
from aichat_sdk.conversations import Conversations
from aichat_sdk.models import Models
from aichat_sdk.notifications import Notifications
from aichat_sdk.usage import Usage

__all__ = ["AsyncAIChat"]


class AsyncAIChat:
    """A client of the platform. Use it in one event loop at a time, from as many tasks as you like.

    When its event loop has ended, as after `asyncio.run`, it connects again in the next one. In a second one beside the
    first its calls are ClosedError.

    `async with AsyncAIChat() as client:` closes it at the end; without the block, `await client.close()` does.
    """

    def __init__(
        self,
        *,
        api_key: str | None = None,
        endpoint: str | None = None,
        secure: bool | None = None,
        timeout: float = 60.0,
        stall_timeout: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        """Takes what is left out from AICHAT_API_KEY and AICHAT_ENDPOINT ("host:port"); connects at the first call.

        `secure`: with TLS; None: unless the host is this machine. Times are in seconds: `timeout` for each call but
        streams, all its tries together; `stall_timeout` for each silence of a stream, longer than the platform's
        heartbeat. `max_retries`: how often a call that is safe to repeat is tried again;
        a stream that breaks is gone on with three times as often before it fails.
        """
        target = resolve_endpoint(endpoint)
        self._transport = Transport(
            ClientSettings(
                endpoint=target,
                api_key=resolve_api_key(api_key),
                secure=not is_loopback(target) if secure is None else secure,
                timeout=timeout,
                stall_timeout=stall_timeout,
                max_retries=max_retries,
            )
        )
        self.chat = Chat(self._transport)
        """Sends messages and streams answers."""
        self.models = Models(self._transport)
        """Tells which models there are."""
        self.conversations = Conversations(self._transport)
        """Keeps conversations and their messages."""
        self.notifications = Notifications(self._transport)
        """Says which e-mails come."""
        self.usage = Usage(self._transport)
        """Tells what was used and what that cost."""
        self.billing = Billing(self._transport)
        """Subscribes to plans, and shows invoices."""

    async def close(self) -> None:
        """Closes the connection; calls under way end with ClosedError."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        settings = self._transport.settings
        return f"AsyncAIChat(endpoint={settings.endpoint!r}, secure={settings.secure})"
