"""The client."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Never, Self

from aichat_sdk._grpc import GrpcWire
from aichat_sdk._keys import Keys
from aichat_sdk._observing import set_up_logging
from aichat_sdk._settings import ClientSettings, Target, merged, resolve_endpoint, resolve_tls
from aichat_sdk._tls import TLS
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
        api_key: str | Callable[[], str | Awaitable[str]] | None = None,
        endpoint: str | None = None,
        secure: bool | TLS | None = None,
        proxy: str | None = None,
        channel_options: Mapping[str, str | int] | None = None,
        metadata: Mapping[str, str] | None = None,
        timeout: float = 60.0,
        stall_timeout: float = 60.0,
        max_retries: int = 2,
    ) -> None:
        """Reads missing arguments from AICHAT_API_KEY and AICHAT_ENDPOINT ("host:port"); connects at the first call.

        `api_key`: a key, or a function, asynchronous or not, that returns the one to use. It is called before each
        call, and once more after CREDENTIALS_EXPIRED. `secure`: whether to use TLS, or with which certificates; None:
        unless the host is this machine. `proxy`: "http://host:port" of a proxy that connects to the platform; None:
        what `grpc_proxy`, `https_proxy` or `http_proxy` and `no_proxy` say; empty: none. `channel_options`: options of
        gRPC, which replace the client's own. `metadata`: is sent with each call.

        Times are in seconds. `timeout`: the limit for each call with all its retries, streams excepted.
        `stall_timeout`: the longest silence of a stream; it must be longer than the platform's heartbeat.
        `max_retries`: how often to retry a call that is safe to repeat; a broken stream is resumed up to three times as
        often.
        """
        set_up_logging()
        address, keys = resolve_endpoint(endpoint), Keys(api_key)
        target = Target(address, resolve_tls(secure, address), proxy, channel_options or {})
        settings = ClientSettings(address, keys, timeout, stall_timeout, max_retries, metadata or {})
        self._target = target
        self._serve(Transport(settings, GrpcWire(target)))

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

    @property
    def endpoint(self) -> str:
        """The platform's address, "host:port"."""
        return self._target.endpoint

    def with_options(
        self,
        *,
        metadata: Mapping[str, str] | None = None,
        timeout: float | None = None,
        stall_timeout: float | None = None,
        max_retries: int | None = None,
    ) -> Self:
        """Returns a client with other options, None: the same, that shares the connection; closing one closes both.

        `client.with_options(metadata={"x-team": "a"}).chat.send(…)` sends it with one call, besides the client's own.
        """
        now = self._transport.settings
        changed = replace(
            now,
            metadata=now.metadata if metadata is None else merged(now.metadata, metadata),
            timeout=now.timeout if timeout is None else timeout,
            stall_timeout=now.stall_timeout if stall_timeout is None else stall_timeout,
            max_retries=now.max_retries if max_retries is None else max_retries,
        )
        client = object.__new__(type(self))
        client._target = self._target
        client._serve(Transport(changed, self._transport.wire))
        return client

    async def close(self) -> None:
        """Closes the connection; open calls end with ClosedError."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __reduce__(self) -> Never:
        raise TypeError(f"{type(self).__name__} cannot be pickled or copied: make a client in each process")

    def __repr__(self) -> str:
        return f"AsyncAIChat(endpoint={self._target.endpoint!r}, secure={self._target.tls is not None})"
