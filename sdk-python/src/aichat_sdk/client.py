"""The client."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from aichat_sdk._settings import ClientSettings, is_loopback, resolve_api_key, resolve_endpoint
from aichat_sdk._transport import Transport
from aichat_sdk.billing import Billing
from aichat_sdk.chat import Chat
from aichat_sdk.conversations import Conversations
from aichat_sdk.embeddings import Embeddings
from aichat_sdk.files import Files
from aichat_sdk.models import Models
from aichat_sdk.notifications import Notifications
from aichat_sdk.usage import Usage

__all__ = ["AsyncAIChat"]


class AsyncAIChat:
    """A client of the platform. Use it in one event loop at a time, from any number of tasks.

    When its event loop has ended, as after `asyncio.run`, it reconnects in the next one. Calls from a second loop
    beside the first raise ClosedError.

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
        """Reads missing arguments from AICHAT_API_KEY and AICHAT_ENDPOINT ("host:port"); connects at the first call.

        `secure`: whether to use TLS; None: unless the host is this machine. Times are in seconds. `timeout`: the limit
        for each call with all its retries, streams excepted. `stall_timeout`: the longest silence of a stream; it must
        be longer than the platform's heartbeat. `max_retries`: how often to retry a call that is safe to repeat; a
        broken stream is resumed up to three times as often.
        """
        target, key = resolve_endpoint(endpoint), resolve_api_key(api_key)
        secure = not is_loopback(target) if secure is None else secure
        self._serve(Transport(ClientSettings(target, key, secure, timeout, stall_timeout, max_retries)))

    def _serve(self, transport: Transport) -> None:
        self._transport = transport
        self.files = Files(transport)
        """Stores the files that messages show to models."""
        self.chat = Chat(transport, self.files.upload)
        """Sends messages and streams answers."""
        self.models = Models(transport)
        """Lists the models."""
        self.embeddings = Embeddings(transport)
        """Turns texts into vectors."""
        self.conversations = Conversations(transport)
        """Stores conversations and their messages."""
        self.notifications = Notifications(transport)
        """Changes which e-mails a member gets."""
        self.usage = Usage(transport)
        """Reports usage and its cost."""
        self.billing = Billing(transport)
        """Subscribes to plans, and lists and verifies invoices."""

    async def close(self) -> None:
        """Closes the connection; open calls end with ClosedError."""
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
