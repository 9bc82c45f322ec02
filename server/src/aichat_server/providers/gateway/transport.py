"""The HTTP connections to a vendor: aiohttp's, whose bytes are read where they arrive.

At dozens of deltas a second each layer between would cost as much as all the rest.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import urllib.request
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

import aiohttp
import httpx2
from aiohttp.connector import Connection
from aiohttp.tracing import Trace

from aichat_server.providers.gateway.error_bodies import read_error_body
from aichat_server.providers.gateway.heads import RequestHead
from aichat_server.providers.gateway.tick import report_at_once

_REDIRECTS = 300
# Ways that forget connections do so after minutes of silence, which models may need; and a vendor that has vanished
# within such a silence is noticed in 40 s.
_KEEPALIVE = {"TCP_KEEPIDLE": 20, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 4}
# Not every system has it.
_USER_TIMEOUT: int | None = getattr(socket, "TCP_USER_TIMEOUT", None)


class StatusError(Exception):
    """A vendor answered with a status that is no success."""

    def __init__(self, status: int, body: Mapping[str, object], headers: Mapping[str, str]) -> None:
        """`body`: the JSON object that came with it; empty if there was none."""
        super().__init__(f"status {status}")
        self.status = status
        self.body = body
        self.headers = headers


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a response, as it arrives."""

    reader: aiohttp.StreamReader
    connection: asyncio.Transport | None
    """What it arrives by; None if all of it came with the head."""


class Transport:
    """Sends requests to one vendor, over as many connections as there are streams, and never twice."""

    def __init__(self, *, connect_seconds: float) -> None:
        """A connection takes `connect_seconds` at most.

        A request of which the vendor's host acknowledges nothing for as long fails: its connection was kept from an
        earlier one, and is dead.
        """
        self._connect_seconds = connect_seconds
        self._ssl: ssl.SSLContext = httpx2.create_ssl_context()
        self._session: aiohttp.ClientSession | None = None

    @asynccontextmanager
    async def post(self, head: RequestHead, body: bytes, *, stall_seconds: float) -> AsyncGenerator[Body, None]:
        """Sends a request; the body of its answer, once that begins. It is never silent for longer than
        `stall_seconds`.

        Raises StatusError if the answer is no success. aiohttp's errors pass through as they are.
        """
        # As a whole, too: a head whose bytes come one by one is never silent.
        async with asyncio.timeout(self._connect_seconds + stall_seconds):
            response = await self._open_session().post(
                head.url,
                headers=head.headers,
                data=body,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(connect=self._connect_seconds, sock_read=stall_seconds),
            )
        try:
            connection = response.connection
            if connection is not None:
                # From now on the vendor is silent as long as it needs to, and one lost probe is no end.
                _expect_acknowledgement(connection, 0)
            if response.status >= _REDIRECTS:
                raise StatusError(response.status, await read_error_body(response), response.headers)
            yield Body(response.content, connection.transport if connection is not None else None)
        finally:
            response.close()

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
        if connection.transport is not None:
            report_at_once(connection.transport)
        return connection


def _expect_acknowledgement(connection: Connection, seconds: float) -> None:
    """0: as long as the system's settings say."""
    made = connection.transport.get_extra_info("socket") if connection.transport is not None else None
    if _USER_TIMEOUT is not None and made is not None:
        with suppress(OSError):
            made.setsockopt(socket.IPPROTO_TCP, _USER_TIMEOUT, round(seconds * 1000))
