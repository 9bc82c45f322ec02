"""Three servers behind two edges as in production, with callers that never retry, and a record of their results."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import grpc
from aichat.v1 import chat_pb2, chat_pb2_grpc
from aichat_sandbox.ports import free_ports
from aichat_sandbox.supervisor import until

from tests.faults.edge import Edge
from tests.faults.load import MODELS, marked
from tests.faults.rig import Replica, Rig
from tests.fixtures.server import ApiKey
from tests.integration.conversations.asking import asking

SERVERS, EDGES, CHANNELS = 3, 2, 4
# All other settings for stopping and health checks are the defaults.
EDGE_ANNOUNCE_SECONDS = "3"
# A call goes to an edge that is up; the client reconnects at once to one that was down.
CALLER_OPTIONS = [
    ("grpc.lb_policy_name", "round_robin"),
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]


@dataclass
class Rolling:
    """All parts."""

    servers: Sequence[Replica]
    edges: Sequence[Edge]
    failed: list[str] = field(default_factory=list)
    answers: int = 0
    calls: int = 0

    async def restart_server(self, server: Replica) -> None:
        """Restarts it as a rolling deployment does: returns when the edges have found it again."""
        assert await server.drain() == 0
        await server.start()
        async with asyncio.timeout(60):
            for edge in self.edges:
                await until(edge.finds_all)

    async def restart_edge(self, edge: Edge) -> None:
        """Restarts it; it must exit before its grace period ends."""
        await edge.stop()
        assert "grace" not in edge.log.read_text()
        await edge.start()

    @asynccontextmanager
    async def load(self, keys: Sequence[ApiKey], *, streams: int, calls_per_second: int) -> AsyncGenerator[None, None]:
        """Runs a number of streams at a time, repeatedly, with short calls beside them. Each call is made once."""
        ending = asyncio.Event()
        async with AsyncExitStack() as stack:
            where = "ipv4:" + ",".join(edge.address for edge in self.edges)
            channels = [
                await stack.enter_async_context(grpc.aio.insecure_channel(where, options=CALLER_OPTIONS))
                for _ in range(CHANNELS)
            ]
            stubs: list[chat_pb2_grpc.ChatServiceAsyncStub] = [
                chat_pb2_grpc.ChatServiceStub(channel) for channel in channels
            ]
            async with asyncio.TaskGroup() as group:
                for n in range(streams):
                    group.create_task(self._stream(stubs[n % CHANNELS], keys[n % len(keys)], n, ending))
                group.create_task(self._call(stubs, keys, calls_per_second, ending))
                yield
                ending.set()

    async def _stream(
        self, stub: chat_pb2_grpc.ChatServiceAsyncStub, key: ApiKey, number: int, ending: asyncio.Event
    ) -> None:
        while not ending.is_set():
            request = asking(marked(words=40, interval_ms=100), model=MODELS[number % len(MODELS)])
            try:
                events = [event async for event in stub.StreamChat(request, metadata=key.metadata)]
            except grpc.aio.AioRpcError as error:
                self.failed.append(f"stream: {error.code().name} {error.details()}")
            else:
                self.answers += events[-1].HasField("completed")

    async def _call(
        self,
        stubs: Sequence[chat_pb2_grpc.ChatServiceAsyncStub],
        keys: Sequence[ApiKey],
        per_second: int,
        ending: asyncio.Event,
    ) -> None:
        async with asyncio.TaskGroup() as group:
            while not ending.is_set():
                self.calls += 1
                stub, key = stubs[self.calls % len(stubs)], keys[self.calls % len(keys)]
                group.create_task(self._short(stub, key))
                await asyncio.sleep(1 / per_second)

    async def _short(self, stub: chat_pb2_grpc.ChatServiceAsyncStub, key: ApiKey) -> None:
        try:
            await stub.ListModels(chat_pb2.ListModelsRequest(), metadata=key.metadata)
        except grpc.aio.AioRpcError as error:
            self.failed.append(f"call: {error.code().name} {error.details()}")


@asynccontextmanager
async def rolling(rig: Rig, folder: Path) -> AsyncGenerator[Rolling, None]:
    """Runs the parts, on the rig's databases and vendors."""
    ports = [f"127.0.0.1:{port}" for port in free_ports(SERVERS + 2 * EDGES)]
    own = ("AICHAT_ANNOUNCE_SECONDS", "AICHAT_DRAIN_SECONDS", "AICHAT_LEASE_SECONDS")
    settings = {name: value for name, value in rig.replicas[0].settings.items() if name not in own}
    edge_settings = {"AICHAT_EDGE_ANNOUNCE_SECONDS": EDGE_ANNOUNCE_SECONDS}
    async with AsyncExitStack() as stack:
        servers = [
            Replica(address, settings, folder, grpc.aio.insecure_channel(address)) for address in ports[:SERVERS]
        ]
        for server in servers:
            stack.push_async_callback(server.close)
            await server.start()
        edges = [
            Edge(
                ports[SERVERS + n],
                ports[SERVERS + EDGES + n],
                ports[:SERVERS],
                edge_settings,
                folder / f"edge-{n}.log",
            )
            for n in range(EDGES)
        ]
        for edge in edges:
            await edge.start()
            stack.push_async_callback(edge.stop)
        yield Rolling(servers, edges)
