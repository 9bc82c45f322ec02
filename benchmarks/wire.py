"""A proxy to Postgres that counts round trips."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

# The messages of Postgres's protocol whose answer a client waits for: Sync, Flush, Query.
_WAITED_FOR = (b"S", b"H", b"Q")
_LENGTH_BYTES = 4


@dataclass(slots=True)
class Wire:
    """What has passed through it."""

    port: int = 0
    """The port that it listens on."""
    round_trips: int = 0


def at_port(url: str, port: int) -> str:
    """Returns the URL of the same database at another port of this machine."""
    parts = urlsplit(url)
    # Without TLS, whose handshake has another form and whose messages a proxy cannot read.
    netloc = f"{parts.username}:{parts.password}@127.0.0.1:{port}"
    return parts._replace(netloc=netloc, query="sslmode=disable").geturl()


@asynccontextmanager
async def counted(port: int) -> AsyncGenerator[Wire, None]:
    """Runs a proxy to the Postgres at `port` of this machine."""
    wire = Wire()

    async def connect(client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(_count(client, to_server, wire), _copy(server, to_client))
        finally:
            to_server.close()
            to_client.close()

    listener = await asyncio.start_server(connect, "127.0.0.1", 0)
    wire.port = listener.sockets[0].getsockname()[1]
    try:
        yield wire
    finally:
        listener.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


async def _count(client: asyncio.StreamReader, server: asyncio.StreamWriter, wire: Wire) -> None:
    """Forwards the client's messages one by one until it disconnects; the first one has no type letter."""
    letter = b""
    with suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            length = await client.readexactly(_LENGTH_BYTES)
            body = await client.readexactly(int.from_bytes(length) - _LENGTH_BYTES)
            server.write(letter + length + body)
            wire.round_trips += letter in _WAITED_FOR
            letter = await client.readexactly(1)
    server.close()
