"""The HTTP connections that the vendors' SDKs send their requests over, and the fast way to what comes back.

The SDKs bring httpx's interface; the connections are aiohttp's, which cost a third. An answer's bytes are then read
from aiohttp itself, past the layers between: at dozens of deltas a second they would cost as much as all the rest.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar

import aiohttp
import httpx2
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from aichat_server.providers.gateway.error_bodies import read_error_body

_BODY = "aichat.body"
# How the body of an error came does not hold for what is passed on of it.
_OF_THE_BODY = frozenset({b"content-encoding", b"content-length", b"content-type", b"transfer-encoding"})
# Ways that forget connections do so after minutes of silence, which models may need; and a vendor that has vanished
# within such a silence is noticed in 40 s.
_KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}
# Not every system has it.
_USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)

_claim: ContextVar[list[aiohttp.ClientResponse] | None] = ContextVar("claim", default=None)
_silence: ContextVar[float | None] = ContextVar("silence", default=None)


class AiohttpTransport(httpx2.AsyncBaseTransport):
    """Sends httpx's requests over aiohttp, with as many connections as there are streams, and never twice."""

    def __init__(self, *, connect_seconds: float, stall_seconds: float) -> None:
        """A connection takes `connect_seconds` at most, and no answer is silent for longer than `stall_seconds`.

        `silent_for` allows a single request more. A request of which the vendor's host acknowledges nothing for
        `connect_seconds` fails: its connection was kept from an earlier one, and is dead.
        """
        self._connect_seconds = connect_seconds
        self._stall_seconds = stall_seconds
        self._ssl: ssl.SSLContext = httpx2.create_ssl_context()
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Sends the request; aiohttp's errors pass through as they are."""
        # Deltas are too small to gain from compression, and are read here without undoing it.
        request.headers["Accept-Encoding"] = "identity"
        silence = _silence.get() or self._stall_seconds
        # As a whole, too: a head whose bytes come one by one is never silent.
        async with asyncio.timeout(self._connect_seconds + silence):
            response = await self._open_session().request(
                request.method,
                str(request.url),
                headers=request.headers,
                data=request.content,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(connect=self._connect_seconds, sock_read=silence),
            )
        if response.connection is not None:
            # From now on the vendor is silent as long as it needs to, and one lost probe is no end.
            _expect_acknowledgement(response.connection, 0)
        if not httpx2.codes.is_success(response.status):
            return await _failed(response)
        claimed = _claim.get()
        if claimed is not None:
            claimed.append(response)
            return httpx2.Response(httpx2.codes.OK)
        extensions = {_BODY: response.content}
        return httpx2.Response(
            response.status, headers=response.raw_headers, stream=_Stream(response), extensions=extensions
        )

    async def aclose(self) -> None:
        """Closes all connections."""
        if self._session is not None:
            await self._session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        # Made at the first request, since it belongs to the event loop that is running then.
        if self._session is None:
            connector = _Connector(self._connect_seconds, limit=0, ssl=self._ssl, socket_factory=_kept_alive)
            # Where a proxy might be, aiohttp looks for it in a thread of its own, at each request.
            proxied = bool(urllib.request.getproxies())
            self._session = aiohttp.ClientSession(connector=connector, auto_decompress=False, trust_env=proxied)
        return self._session


@contextmanager
def silent_for(seconds: float) -> Iterator[None]:
    """Requests that are sent within may wait `seconds` for a byte, whatever the transport's own patience."""
    token = _silence.set(seconds)
    try:
        yield
    finally:
        _silence.reset(token)


def body_of(response: httpx2.Response) -> aiohttp.StreamReader:
    """The bytes of a response that came over an AiohttpTransport."""
    body: aiohttp.StreamReader = response.extensions[_BODY]
    return body


@asynccontextmanager
async def claimed_body(send: Callable[[], Awaitable[AsyncIterator[object]]]) -> AsyncGenerator[aiohttp.StreamReader]:
    """The bytes of what `send` asks for, where its SDK has no raw responses: the SDK itself is shown an empty answer.

    An answer that is no success goes to the SDK, which raises what it makes of it.
    """
    claimed: list[aiohttp.ClientResponse] = []
    try:
        token = _claim.set(claimed)
        try:
            async for _ in await send():
                pass
        finally:
            _claim.reset(token)
        yield claimed[0].content
    finally:
        for response in claimed:
            response.close()


async def _failed(response: aiohttp.ClientResponse) -> httpx2.Response:
    try:
        told = await read_error_body(response)
    finally:
        response.close()
    headers = [(name, value) for name, value in response.raw_headers if name.lower() not in _OF_THE_BODY]
    return httpx2.Response(response.status, headers=headers, content=json.dumps(told).encode())


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


class _Connector(aiohttp.TCPConnector):
    """Hands out connections, new ones and kept ones, that fail if what is sent is not acknowledged in time."""

    def __init__(self, seconds: float, *, limit: int, ssl: ssl.SSLContext, socket_factory: aiohttp.SocketFactoryType):
        super().__init__(limit=limit, ssl=ssl, socket_factory=socket_factory)
        self._seconds = seconds

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Trace], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        connection = await super().connect(req, traces, timeout)
        _expect_acknowledgement(connection, self._seconds)
        return connection


def _expect_acknowledgement(connection: Connection, seconds: float) -> None:
    """0: as long as the system's settings say."""
    made = connection.transport.get_extra_info("socket") if connection.transport is not None else None
    if _USER_TIMEOUT is not None and made is not None:
        with suppress(OSError):
            made.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, round(seconds * 1000))


class _Stream(httpx2.AsyncByteStream):
    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._response.content.iter_any():
            yield chunk

    async def aclose(self) -> None:
        self._response.close()
