"""A TCP proxy in front of one peer, on the loopback, whose connections go silent, slow down, break or are refused.

A silent connection is what a NAT that forgot, a vanished host or a partition leaves: no end is
reported. Whoever writes into it sees no error, so that only patience of one's own helps.
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
    """What a connection comes to that carries a marker up."""

    REQUEST_LOST = "silent for good before the peer gets it"
    REPLY_LOST = "silent for good once the peer has got it"
    REPLY_RESET = "reset once the peer has got it"


@dataclass
class Conditions:
    """What a link does to its connections."""

    silent: frozenset[Way] = frozenset()
    delay_seconds: float = 0.0
    """Of each way."""
    bytes_per_second: float | None = None
    cut_within_bytes: int | None = None
    """Each new connection breaks within this number of bytes, at a random one."""
    cut_resets: bool = True
    """Whether it breaks by RST, and not by FIN."""


class Link:
    """Takes connections on `address`, and hands each on to the peer at `host:port`."""

    def __init__(self, port: int, host: str = HOST) -> None:
        self.port = 0
        """Where it listens."""
        self._peer = (host, port)
        self._server: asyncio.Server | None = None
        self._conditions = Conditions()
        self._open: set[_Connection] = set()
        self._fates: list[tuple[bytes, Fate, asyncio.Event]] = []
        self.accepted = 0
        """How many connections have come so far."""
        self.passed = dict.fromkeys(Way, 0)
        """How many bytes have gone each way so far."""

    @property
    def address(self) -> str:
        return f"{HOST}:{self.port}"

    def through(self, url: str) -> str:
        """`url`, by way of this link."""
        parts = urlsplit(url)
        userinfo, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{userinfo}{at}{self.address}"))

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.remove()

    async def restore(self) -> None:
        """Takes connections, on the same port as before."""
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self.port, limit=_CHUNK_BYTES)
            self.port = self._server.sockets[0].getsockname()[1]

    async def remove(self, *, reset: bool = True) -> None:
        """Breaks all connections, and refuses those that are tried from now on."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut(reset=reset)

    def silence(self, *ways: Way) -> None:
        """Passes nothing that way, or neither way, on any connection: neither bytes nor the news of an end."""
        self._conditions.silent = frozenset(ways) or BOTH

    def silence_open(self) -> None:
        """Makes the connections of now silent for good; new ones work."""
        for connection in self._open:
            connection.deaf = BOTH
            connection.look()

    def lose_reply_to(self, marker: bytes) -> asyncio.Event:
        """Makes the connection silent for good that carries `marker` up next, once it has: the peer gets all of it.

        The event is set when that has happened.
        """
        return self.doom(marker, Fate.REPLY_LOST)

    def doom(self, marker: bytes, fate: Fate) -> asyncio.Event:
        """Makes the next connection come to that which carries `marker` up; the event is set when it has."""
        happened = asyncio.Event()
        self._fates.append((marker, fate, happened))
        return happened

    def slow_down(self, delay_seconds: float = 0.0, bytes_per_second: float | None = None) -> None:
        """Passes everything later, or less of it at a time."""
        self._conditions.delay_seconds = delay_seconds
        self._conditions.bytes_per_second = bytes_per_second

    def cut_each_within(self, most_bytes: int, *, reset: bool = True) -> None:
        """Breaks each connection that is made from now on, at a random byte of its first `most_bytes`."""
        self._conditions.cut_within_bytes, self._conditions.cut_resets = most_bytes, reset

    def cut(self, *, reset: bool = True) -> None:
        """Breaks the connections of now, by RST or FIN."""
        for connection in list(self._open):
            connection.end(reset=reset)

    def heal(self) -> None:
        """Does to new connections no harm, and none any more to those that only lived under its conditions.

        What was held up arrives late, as it does in a network. Connections that are silent for good stay so.
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
            # A connection that is broken here is cancelled, and there is nobody to tell.
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
        """What holds now, for all connections."""
        return self._conditions

    def fate_of(self, data: bytes) -> Fate | None:
        """What becomes of the connection that carries this up; None: nothing."""
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
    """The ways in which it is silent for good."""
    _left: int | None = None
    """How many bytes it passes before it breaks."""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        most = self.link.conditions().cut_within_bytes
        self._left = None if most is None else random.randint(0, most)

    async def pump(self, way: Way, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Passes on what comes, under the link's conditions, to its end."""
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
            # The rest of what is asked may still be on its way up.
            self.deaf = frozenset({Way.DOWN})
        self.link.passed[way] += len(data)
        if not sink.is_closing():
            with suppress(OSError):
                sink.write(data)
                await sink.drain()
        if fate is Fate.REPLY_RESET:
            _reset(self.downstream)
        if self._left is not None and self._left <= 0:
            self.end(reset=self.link.conditions().cut_resets)

    async def _trickle(self, data: bytes, rate: float, sink: asyncio.StreamWriter) -> bytes:
        """Passes all but the last piece, piece by piece; returns that."""
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
        """Its conditions may have changed."""
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
            _reset(writer) if reset else writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    if (raw := writer.get_extra_info("socket")) is not None:
        with suppress(OSError):
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


@asynccontextmanager
async def link_to(url: str) -> AsyncGenerator[Link, None]:
    """A link to the peer that `url` names."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    async with Link(parts.port, parts.hostname) as link:
        yield link
