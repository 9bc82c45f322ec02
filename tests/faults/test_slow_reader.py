"""One reader at a byte a second delays nobody else, and costs the server no memory."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

import grpc

from tests.faults.books import audit
from tests.faults.load import MODELS, Turn, follow, hold_all, marked
from tests.faults.rig import Replica, Rig
from tests.faults.scale import SCALE
from tests.fixtures.server import ApiKey
from tests.fixtures.tally import Tally
from tests.integration.conversations.asking import eventually

DELTA = "🙂" * 1000
# Several times the memory of the answer, its journal, and gRPC's buffers for one connection.
MOST_GROWTH = 32 << 20


@dataclass
class Trickle:
    """A connection to a server whose replies can be slowed to a byte a second."""

    target: str
    at_full_speed: asyncio.Event = field(default_factory=asyncio.Event)
    brought: int = 0
    """The number of bytes received."""

    async def join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, _, port = self.target.partition(":")
        near = socket.socket()
        # Otherwise the machine would buffer much of the answer for a reader that does not read.
        near.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        near.setblocking(False)
        await asyncio.get_running_loop().sock_connect(near, (host, int(port)))
        far_reader, far_writer = await asyncio.open_connection(sock=near, limit=4096)
        back = asyncio.create_task(self._bring(far_reader, writer))
        with suppress(OSError):
            while data := await reader.read(65536):
                far_writer.write(data)
        back.cancel()
        far_writer.close()
        writer.close()

    async def _bring(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(4096 if self.at_full_speed.is_set() else 1):
            target.write(data)
            self.brought += len(data)
            with suppress(TimeoutError):
                if not self.at_full_speed.is_set():
                    await asyncio.wait_for(self.at_full_speed.wait(), 1)


@asynccontextmanager
async def a_line_to(replica: Replica) -> AsyncGenerator[tuple[Replica, Trickle], None]:
    """The replica over a connection of its own."""
    trickle = Trickle(replica.address)
    trickle.at_full_speed.set()
    listening = await asyncio.start_server(trickle.join, "127.0.0.1", 0)
    host, port = listening.sockets[0].getsockname()
    async with listening, grpc.aio.insecure_channel(f"{host}:{port}") as channel:
        yield replace(replica, channel=channel), trickle


async def test_a_reader_at_a_byte_a_second_delays_nobody(rig: Rig, key: ApiKey, tally: Tally) -> None:
    server = rig.replicas[0]
    deltas = SCALE.slow_deltas
    slow = Turn(key, marked(deltas=[DELTA], repeat=deltas, interval_ms=2), MODELS[0], max_output_tokens=250 * deltas)
    normal = [Turn(key, marked(words=30, interval_ms=5), MODELS[n % len(MODELS)]) for n in range(SCALE.normal_turns)]
    async with a_line_to(server) as (slowly, trickle):
        before = server.resident_bytes
        reading = asyncio.create_task(follow(slow, slowly))

        async def is_answered() -> bool:
            return bool(slow.seen)

        await eventually(is_answered, bool)
        trickle.at_full_speed.clear()
        await hold_all(replace(rig, replicas=(server,)), normal, at_once=10)
        growth = server.resident_bytes - before
        assert not reading.done(), "the slow one was not slow"
        assert len(slow.seen) < deltas * len(DELTA)
        trickle.at_full_speed.set()
        assert await reading == ""
    found = await audit(rig, key, [slow, *normal])
    tally(turns=found.acknowledged, faults=1)
    tally(acknowledged=found.acknowledged, lost=found.lost, double_billed=found.double_billed)
    assert (found.acknowledged, found.lost, found.double_billed) == (len(normal) + 1, 0, 0)
    assert slow.seen == DELTA * deltas
    assert growth < MOST_GROWTH
