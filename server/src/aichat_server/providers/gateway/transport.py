"""The HTTP connections to a vendor: aiohttp's, whose bytes are read where they arrive.

At dozens of deltas a second each further layer would cost as much as everything else.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import urllib.request
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import aiohttp
import httpx2
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from aichat_server.providers.gateway.body import FileBody
from aichat_server.providers.gateway.error_bodies import parse_error_body, read_error_body
from aichat_server.providers.gateway.heads import RequestHead
from aichat_server.providers.gateway.tick import report_at_once

KEPT_SECONDS = 30.0
"""How long a connection is kept that nobody uses."""
_REDIRECTS = 300
# Middleboxes forget connections after minutes of silence, which models may need; and a vendor that vanishes during such
# a silence is detected in 40 s.
_KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}
# Not every system has it.
_USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)


FindHead: TypeAlias = Callable[[], Awaitable[RequestHead]]
OtherHeaders: TypeAlias = Mapping[str, str | None]
"""Headers of one request, by name; None for one that it does not have."""
NO_OTHERS: OtherHeaders = MappingProxyType({})


class StatusError(Exception):
    """A vendor answered with an error status."""

    def __init__(
        self, status: int, body: Mapping[str, object], headers: Mapping[str, str], content: bytes = b""
    ) -> None:
        """`body`: the JSON object of the response; empty if there was none. `content`: its bytes as they came."""
        super().__init__(f"Error code: {status}")
        self.status = status
        self.body = body
        self.headers = headers
        self.content = content


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a response, as it arrives."""

    reader: aiohttp.StreamReader
    connection: asyncio.Transport | None
    """The connection that it arrives on; None if all of it came with the head."""


class Transport:
    """Sends requests to one vendor, over one connection for each stream, and never twice."""

    def __init__(self, *, connect_seconds: float) -> None:
        """Connecting takes at most `connect_seconds`.

        A request also fails if the vendor's host acknowledges nothing for that long: its kept connection is dead.
        """
        self._connect_seconds = connect_seconds
        self._ssl: ssl.SSLContext = httpx2.create_ssl_context()
        self._session: aiohttp.ClientSession | None = None

    def prepare(self, find_head: FindHead, *, stall_seconds: float) -> PreparedPost:
        """Gets a request ready: send or close it. Its answer may be silent for `stall_seconds`."""
        return PreparedPost(self._open_session(), find_head, self._connect_seconds, stall_seconds)

    async def aclose(self) -> None:
        """Closes all connections."""
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        # Created at the first request, since it belongs to the event loop that runs then.
        if self._session is None:
            connector = _Connector(self._connect_seconds, self._ssl)
            # If there might be a proxy, aiohttp looks for it in a thread at each request.
            proxied = bool(urllib.request.getproxies())
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False, trust_env=proxied)
        return self._session


class PreparedPost:
    """A request that is ready to be sent but for its body. It holds a connection, which has been sent nothing."""

    def __init__(
        self, session: aiohttp.ClientSession, find_head: FindHead, connect_seconds: float, stall_seconds: float
    ) -> None:
        loop = asyncio.get_running_loop()
        self._patience = connect_seconds + stall_seconds
        self._timeout = aiohttp.ClientTimeout(connect=connect_seconds, sock_read=stall_seconds)
        self._body: asyncio.Future[tuple[bytes | FileBody, OtherHeaders]] = loop.create_future()
        self._connected: asyncio.Future[None] = loop.create_future()
        self._posting = loop.create_task(self._post(session, find_head))
        # Nobody may ask why it failed.
        self._posting.add_done_callback(lambda posting: posting.cancelled() or posting.exception())

    @asynccontextmanager
    async def send(self, body: bytes | FileBody, headers: OtherHeaders = NO_OTHERS) -> AsyncGenerator[Body, None]:
        """Sends the request; the body of its answer, once that begins. `headers`: those that differ from the head's.

        Raises StatusError if the answer is no success, and what reading the body's files raises. aiohttp's errors pass
        through as they are.
        """
        self._body.set_result((body, headers))
        try:
            # For the whole head: bytes that arrive one by one are never silent.
            async with asyncio.timeout(self._patience):
                response = await self._posting
        except aiohttp.ClientError as error:
            if isinstance(body, FileBody) and body.failure is not None:
                raise body.failure from error
            raise
        try:
            connection = response.connection
            if connection is not None:
                # From now on the vendor may be silent, and one lost probe does not end the connection.
                _expect_acknowledgement(connection, 0)
            if response.status >= _REDIRECTS:
                content, headers = await read_error_body(response), response.headers
                raise StatusError(response.status, parse_error_body(content, headers), headers, content)
            yield Body(response.content, connection.transport if connection is not None else None)
        finally:
            response.close()

    async def connected(self) -> bool:
        """Returns True once it has a connection, and False if it gets none."""
        waited: set[asyncio.Future[Any]] = {self._connected, self._posting}
        await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
        return self._connected.done()

    async def hold(self) -> tuple[bytes | FileBody, OtherHeaders]:
        """Called when it has a connection; returns what is to be sent, once that is known."""
        self._connected.set_result(None)
        return await self._body

    def close(self) -> None:
        """Gives the connection back if the request has not been sent; if it has, the answer is not read any further."""
        self._posting.cancel()
        # Who waited for it may have been cancelled at the moment when it came.
        if self._posting.done() and not self._posting.cancelled() and self._posting.exception() is None:
            self._posting.result().close()

    async def _post(self, session: aiohttp.ClientSession, find_head: FindHead) -> aiohttp.ClientResponse:
        _posted.set(self)
        head = await find_head()
        return await session.post(
            head.url, headers=head.headers, data=b"", allow_redirects=False, timeout=self._timeout
        )


def _kept_alive(address: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, _, _ = address
    made = socket.socket(family, kind, protocol)
    made.setblocking(False)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        # Not every system has them.
        if (option := getattr(socket, name, None)) is not None:
            made.setsockopt(socket.IPPROTO_TCP, option, value)
    return made


_posted: ContextVar[PreparedPost] = ContextVar("posted")
"""What the current task posts."""


class _Connector(aiohttp.TCPConnector):
    """Hands out connections, new ones and kept ones, that fail if what is sent is not acknowledged in time.

    They are handed out when there is something to send: until then aiohttp sends no head, and `connect` holds them.
    """

    def __init__(self, seconds: float, ssl: ssl.SSLContext) -> None:
        super().__init__(limit=0, ssl=ssl, socket_factory=_kept_alive, keepalive_timeout=KEPT_SECONDS)
        self._seconds = seconds

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        connection = await self._connect(req, traces, timeout)
        try:
            body, headers = await _posted.get().hold()
            await req.update_body(body)
            _change(req.headers, headers)
        except BaseException:
            connection.release()
            raise
        if connection.transport is None or connection.transport.is_closing():
            # The vendor has closed it meanwhile.
            connection.close()
            connection = await self._connect(req, traces, timeout)
        return connection

    async def _connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        _expect_acknowledgement(connection, self._seconds)
        if connection.transport is not None:
            report_at_once(connection.transport)
        return connection


def _change(headers: MutableMapping[str, str], others: OtherHeaders) -> None:
    for name, value in others.items():
        headers.pop(name, None)
        if value is not None:
            headers[name] = value


def _expect_acknowledgement(connection: Connection, seconds: float) -> None:
    """Sets the time limit for acknowledgements; 0: the system's default."""
    made = connection.transport.get_extra_info("socket") if connection.transport is not None else None
    if _USER_TIMEOUT is not None and made is not None:
        with suppress(OSError):
            made.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, round(seconds * 1000))
