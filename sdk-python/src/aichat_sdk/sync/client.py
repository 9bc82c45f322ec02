"""The client. Generated from client.py: do not edit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Never, Self

from aichat_sdk._portal import Portal
from aichat_sdk._tls import TLS
from aichat_sdk.client import AsyncAIChat
from aichat_sdk.sync.billing import Billing
from aichat_sdk.sync.chat import Chat
from aichat_sdk.sync.conversations import Conversations
from aichat_sdk.sync.embeddings import Embeddings
from aichat_sdk.sync.files import Files
from aichat_sdk.sync.models import Models
from aichat_sdk.sync.notifications import Notifications
from aichat_sdk.sync.usage import Usage

__all__ = ["AIChat"]


class AIChat:
    """A client of the platform for code without an event loop. Any number of threads may use it at once.

    It has the methods of AsyncAIChat, and an event loop in a thread of its own, so that it also works where another
    event loop runs, as in a notebook. It closes itself when it is dropped, and at the end of the process. After a
    fork, a client that was in use before raises ClosedError.

    `with AIChat() as client:` closes it at the end; without the block, `client.close()` does.
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
        inner = AsyncAIChat(
            api_key=api_key,
            endpoint=endpoint,
            secure=secure,
            proxy=proxy,
            channel_options=channel_options,
            metadata=metadata,
            timeout=timeout,
            stall_timeout=stall_timeout,
            max_retries=max_retries,
        )
        self._hold(inner, Portal(inner.close))

    def _hold(self, inner: AsyncAIChat, portal: Portal) -> None:
        self._inner = inner
        self._portal = portal
        self.files = Files(inner.files, portal)
        "Stores the files that messages show to models."
        self.chat = Chat(inner.chat, portal)
        "Sends messages and streams answers."
        self.models = Models(inner.models, portal)
        "Lists the models."
        self.embeddings = Embeddings(inner.embeddings, portal)
        "Turns texts into vectors."
        self.conversations = Conversations(inner.conversations, portal)
        "Stores conversations and their messages."
        self.notifications = Notifications(inner.notifications, portal)
        "Changes which e-mails a member gets."
        self.usage = Usage(inner.usage, portal)
        "Reports usage and its cost."
        self.billing = Billing(inner.billing, portal)
        "Subscribes to plans, and lists and verifies invoices."

    @property
    def endpoint(self) -> str:
        """The platform's address, "host:port"."""
        return self._inner.endpoint

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
        client = object.__new__(type(self))
        client._hold(
            self._inner.with_options(
                metadata=metadata, timeout=timeout, stall_timeout=stall_timeout, max_retries=max_retries
            ),
            self._portal,
        )
        return client

    def close(self) -> None:
        """Closes the connection; open calls end with ClosedError."""
        self._portal.close()

    def __enter__(self) -> Self:
        self._portal.run(self._inner.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> Never:
        raise TypeError(f"{type(self).__name__} cannot be pickled or copied: make a client in each process")

    def __repr__(self) -> str:
        return repr(self._inner).removeprefix("Async")
