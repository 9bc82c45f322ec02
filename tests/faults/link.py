"""A TCP proxy in front of one peer, on the loopback, whose connections go silent, slow down, break or are refused.

A silent connection is what remains after a NAT forgot it, a host vanished or a network partitioned: neither side learns
of the end. A writer sees no error, so only a timeout of its own helps.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Self
from urllib.parse import urlsplit, urlunsplit

HOST = "127.0.0.1"
_CHUNK_BYTES = 65_536
_TRICKLE_SECONDS = 0.1


class Way(Enum):
    """A direction."""

    UP = "to the peer"
    DOWN = "from the peer"


BOTH = frozenset(Way)


class Fate(Enum):
    """What happens to a connection that sends a marker to the peer."""

    REQUEST_LOST = "silent for good before the peer receives it"
    REPLY_LOST = "silent for good once the peer has received it"
    REPLY_RESET = "reset once the peer has received it"


@dataclass
class Conditions:
    """What a link does to its connections."""

    silent: frozenset[Way] = frozenset()
    delay_seconds: float = 0.0
    """In each direction."""
    bytes_per_second: float | None = None
    cut_within_bytes: int | None = None
    """Each new connection breaks at a random byte within this number."""
    cut_resets: bool = True
    """Whether it breaks by RST instead of FIN."""


class Link:
    """Accepts connections on `address`, and forwards each to the peer at `host:port`."""

    def __init__(self, port: int, host: str = HOST) -> None:
        self.port = 0
        """The port that it listens on."""
        self._peer = (host, port)
        self._server: asyncio.Server | None = None
        self._conditions = Conditions()
        self._open: set[_Connection] = set()
        self._fates: list[tuple[bytes, Fate, asyncio.Event]] = []
        self.accepted = 0
        """The number of connections accepted so far."""
        self.passed = dict.fromkeys(Way, 0)
        """The number of bytes forwarded so far, by direction."""

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def through(self, url: str) -> str:
        """Returns `url` with this link's address."""
        parts = urlsplit(url)
        userinfo, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{userinfo}{at}{self.address}"))

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.remove()

    async def restore(self) -> None:
        """Accepts connections again, on the same port as before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self.port, limit=_CHUNK_BYTES)
            self.port = self._server.sockets[0].getsockname()[1]

    async def remove(self, *, reset: bool = True) -> None:
        """Breaks all connections, and refuses new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut(reset=reset)

    def silence(self, *ways: Way) -> None:
        """Forwards nothing in these directions, by default in both, on any connection: neither bytes nor the end."""
        self._conditions.silent = frozenset(ways) or BOTH

    def silence_open(self) -> None:
        """Silences the open connections for good; new ones work."""
        for connection in self._open:
            connection.deaf = BOTH
            connection.look()

    def lose_reply_to(self, marker: bytes) -> asyncio.Event:
        """Silences a connection for good after it has sent `marker` to the peer, so that only the reply is lost.

        Returns an event that is set when that has happened.
        """
        return self.doom(marker, Fate.REPLY_LOST)

    def doom(self, marker: bytes, fate: Fate) -> asyncio.Event:
        """Applies the fate to the next connection that sends `marker`.

        Returns an event that is set when that has happened.
        """
        happened = asyncio.Event()
        self._fates.append((marker, fate, happened))
        return happened

    def slow_down(self, delay_seconds: float = 0.0, bytes_per_second: float | None = None) -> None:
        """Delays all bytes, or limits their rate."""
        self._conditions.delay_seconds = delay_seconds
        self._conditions.bytes_per_second = bytes_per_second

    def cut_each_within(self, most_bytes: int, *, reset: bool = True) -> None:
        """Breaks each new connection at a random byte of its first `most_bytes`."""
        self._conditions.cut_within_bytes, self._conditions.cut_resets = most_bytes, reset

    def cut(self, *, reset: bool = True) -> None:
        """Breaks the open connections, by RST or FIN."""
        for connection in list(self._open):
            connection.end(reset=reset)

    def heal(self) -> None:
        """Ends all faults for new connections, and for open ones that only had the link's conditions.

        Delayed bytes arrive late, as in a network. Connections that were silenced for good stay silent.
        """
        self._conditions = Conditions()
        self._fates.clear()
        for connection in self._open:
            connection.look()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        connection = _Connection(self, writer, task)
        self._open.add(connection)
        try:
            # A connection that is broken here is cancelled, and nobody reads its error.
            with suppress(OSError, asyncio.CancelledError):
                up_reader, up_writer = await asyncio.open_connection(*self._peer, limit=_CHUNK_BYTES)
                connection.upstream = up_writer
                async with asyncio.TaskGroup() as group:
                    group.create_task(connection.pump(Way.UP, reader, up_writer))
                    group.create_task(connection.pump(Way.DOWN, up_reader, writer))
        finally:
            self._open.discard(connection)
            connection.close(reset=False)

    def conditions(self) -> Conditions:
        """The conditions in force for all connections."""
        return self._conditions

    def fate_of(self, data: bytes) -> Fate | None:
        """Returns the fate of the connection that sends this; None: none."""
        for doomed in self._fates:
            marker, fate, happened = doomed
            if marker in data:
                self._fates.remove(doomed)
                happened.set()
                return fate
        return None


@dataclass(eq=False)
class _Connection:
    link: Link
    downstream: asyncio.StreamWriter
    task: asyncio.Task[None]
    upstream: asyncio.StreamWriter | None = None
    deaf: frozenset[Way] = frozenset()
    """The directions in which it is silent for good."""
    _left: int | None = None
    """How many bytes it forwards before it breaks."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        most = self.link.conditions().cut_within_bytes
        self._left = None if most is None else random.randint(0, most)

    async def pump(self, way: Way, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Forwards bytes to the end, under the link's conditions."""
        loop = asyncio.get_running_loop()
        waiting: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(64)

        async def read() -> None:
            while True:
                data = b""
                with suppress(OSError):
                    data = await source.read(_CHUNK_BYTES)
                await waiting.put((loop.time() + self.link.conditions().delay_seconds, data))
                if not data:
                    return

        async with asyncio.TaskGroup() as group:
            group.create_task(read())
            while True:
                due, data = await waiting.get()
                await asyncio.sleep(due - loop.time())
                await self._until_heard(way)
                if not data:
                    break
                await self._pass(way, data, sink)
        with suppress(OSError, RuntimeError):
            sink.write_eof()

    async def _pass(self, way: Way, data: bytes, sink: asyncio.StreamWriter) -> None:
        if (rate := self.link.conditions().bytes_per_second) is not None:
            data = await self._trickle(data, rate, sink)
        if self._left is not None:
            data, self._left = data[: self._left], self._left - len(data)
        fate = self.link.fate_of(data) if way is Way.UP else None
        if fate is Fate.REQUEST_LOST:
            self.deaf = BOTH
            await self._until_heard(way)
        elif fate is not None:
            # The rest of the request may still be on its way to the peer.
            self.deaf = frozenset({Way.DOWN})
        self.link.passed[way] += len(data)
        if not sink.is_closing():
            with suppress(OSError):
                sink.write(data)
                await sink.drain()
        if fate is Fate.REPLY_RESET:
            abort(self.downstream)
        if self._left is not None and self._left <= 0:
            self.end(reset=self.link.conditions().cut_resets)

    async def _trickle(self, data: bytes, rate: float, sink: asyncio.StreamWriter) -> bytes:
        """Forwards all but the last piece, piece by piece; returns the last one."""
        size = max(1, round(rate * _TRICKLE_SECONDS))
        with suppress(OSError):
            while True:
                await asyncio.sleep(min(size, len(data)) / rate)
                if len(data) <= size:
                    break
                sink.write(data[:size])
                await sink.drain()
                data = data[size:]
        return data

    async def _until_heard(self, way: Way) -> None:
        while way in self.deaf | self.link.conditions().silent:
            self._changed.clear()
            await self._changed.wait()

    def look(self) -> None:
        """Reads its conditions again after a change."""
        self._changed.set()

    def end(self, *, reset: bool) -> None:
        """Breaks it, whatever it waits for."""
        self.close(reset=reset)
        self.task.cancel()

    def close(self, *, reset: bool) -> None:
        """Closes both ends."""
        for writer in (self.downstream, self.upstream):
            if writer is None:
                continue
            abort(writer) if reset else writer.close()


def abort(writer: asyncio.StreamWriter) -> None:
    """Ends the connection by RST."""
    if (raw := writer.get_extra_info("socket")) is not None:
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def link_to(url: str) -> AsyncGenerator[Link, None]:
    """Runs a link to the peer of `url`."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    async with Link(parts.port, parts.hostname) as link:
        yield link
