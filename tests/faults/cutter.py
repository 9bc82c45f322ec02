"""A proxy in front of an edge that cuts off three in ten requests: before, within and at the end of their answers."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress
from enum import Enum, auto
from typing import Self

from tests.faults.link import HOST, abort

LAST = b"END"
"""The first of the last words of each answer. The vendor pauses after it."""
WORDS = 2
"""How many words an answer has before it: word0 and so on."""
_CHUNK_BYTES = 65_536


class Cut(Enum):
    """Where a request is cut off."""

    NOWHERE = auto()
    AT_ONCE = auto()
    BEFORE = auto()
    WITHIN = auto()
    AT_THE_END = auto()


class Cutter:
    """Forwards connections over HTTP/1.1 to `address`, and breaks them by RST."""

    def __init__(self, address: str, chance: random.Random, share: float = 0.3) -> None:
        """`share` of the requests is cut off."""
        self._address = address
        self._chance = chance
        self._share = share
        self._server: asyncio.Server | None = None
        self.cuts = dict.fromkeys(Cut, 0)
        """How many requests were cut off, by where."""

    @property
    def address(self) -> str:
        """Where it listens."""
        assert self._server is not None
        return f"{HOST}:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, HOST, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    def draw(self) -> tuple[Cut, bytes]:
        """Returns where the next request is cut off, and at which word."""
        if self._chance.random() >= self._share:
            return Cut.NOWHERE, b""
        cut = self._chance.choice([cut for cut in Cut if cut is not Cut.NOWHERE])
        self.cuts[cut] += 1
        return cut, LAST if cut is Cut.AT_THE_END else f"word{self._chance.randrange(WORDS)}".encode()

    def some_of(self, size: int) -> int:
        """Returns how many bytes of a piece of `size` bytes are forwarded before the cut."""
        return self._chance.randrange(size)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self._address.rpartition(":")
        with suppress(OSError, asyncio.CancelledError):
            up_reader, up_writer = await asyncio.open_connection(host, int(port))
            await _Connection(self, writer, up_writer).run(reader, up_reader)


class _Connection:
    def __init__(self, cutter: Cutter, down: asyncio.StreamWriter, up: asyncio.StreamWriter) -> None:
        self._cutter = cutter
        self._down = down
        self._up = up
        self._cut, self._word = Cut.NOWHERE, b""

    async def run(self, requests: asyncio.StreamReader, responses: asyncio.StreamReader) -> None:
        """Forwards both directions until one ends."""
        ways = [asyncio.ensure_future(way) for way in (self._send(requests), self._answer(responses))]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            for writer in (self._down, self._up):
                abort(writer) if self._cut is not Cut.NOWHERE else writer.close()

    async def _send(self, requests: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await requests.read(_CHUNK_BYTES):
                if data.startswith(b"POST "):
                    self._cut, self._word = self._cutter.draw()
                self._up.write(data)
                await self._up.drain()
                # Some clients send the head before the body.
                if self._cut is Cut.AT_ONCE and data.rstrip().endswith(b"}"):
                    return

    async def _answer(self, responses: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while data := await responses.read(_CHUNK_BYTES):
                if self._cut is Cut.BEFORE:
                    return
                if self._cut in (Cut.WITHIN, Cut.AT_THE_END) and self._word in data:
                    self._down.write(data[: data.index(self._word) + self._cutter.some_of(len(self._word) + 1)])
                    # What was written before a reset may be lost.
                    await asyncio.sleep(0)
                    return
                self._down.write(data)
                await self._down.drain()
