"""The parts that fault tests break: two servers, a Postgres, a Redis and the vendors; each can be killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
from aichat.v1 import chat_pb2_grpc, conversations_pb2_grpc
from aichat_sandbox.ports import free_ports
from aichat_sandbox.postgres import Postgres, run_postgres
from aichat_sandbox.standins import VENDORS, settings_for
from aichat_server.app.stores import build_orphans
from aichat_server.core.database.database import Database, open_database
from aichat_server.core.database.migrate import migrate
from aichat_server.core.errors import AichatError
from aichat_server.core.redis.client import open_redis
from aichat_server.generations.gateway.journal import JournalStreams
from aichat_server.generations.gateway.spare_leases import SpareLeases
from aichat_server.generations.service.orphans import Orphans
from aichat_server.models.gateway import load_prices
from aichat_server.models.service import add_prices
from aichat_server.settings import DEFAULT_MODELS

from tests.fixtures.nursery import ForkedProcess, fork
from tests.fixtures.redis import RedisUnderTest, run_redis
from tests.fixtures.server import ApiKey, is_serving, minted_key
from tests.fixtures.vendors import Vendors, run_vendors

STALL_SECONDS = 8.0
REAP_SECONDS = 0.5
RETENTION_SECONDS = 600.0
SETTINGS = {
    "AICHAT_DATABASE_POOL_SIZE": "8",
    "AICHAT_HEARTBEAT_SECONDS": "0.3",
    "AICHAT_ANNOUNCE_SECONDS": "0",
    "AICHAT_DRAIN_SECONDS": "3",
    # Short, so that delayed servers are sometimes considered lost, which must do no harm either.
    "AICHAT_LEASE_SECONDS": "4",
    "AICHAT_PROVIDER_STALL_SECONDS": str(STALL_SECONDS),
    # The vendors fail repeatedly on purpose, and must be called each time.
    "AICHAT_PROVIDER_CIRCUIT_FAILURES": "1000000",
}
# A killed server restarts at once, and clients must find it at once.
CHANNEL_OPTIONS = [("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 300)]


@dataclass
class MortalPostgres:
    """A Postgres that keeps its port and its data across restarts."""

    folder: Path
    port: int
    running: Postgres | None = field(default=None, init=False)
    _held: AsyncExitStack = field(default_factory=AsyncExitStack, init=False)

    async def start(self) -> Postgres:
        self.running = await self._held.enter_async_context(run_postgres(self.folder, self.port))
        return self.running

    async def stop_immediately(self) -> None:
        """Stops like `pg_ctl stop -m immediate`: it drops everything, and recovers at the next start."""
        assert self.running is not None
        self.running.process.send_signal(signal.SIGQUIT)
        await self.running.process.wait()
        await self.close()

    async def close(self) -> None:
        self.running = None
        await self._held.aclose()


@dataclass
class Replica:
    """A server that keeps its address across restarts."""

    address: str
    settings: dict[str, str] = field(repr=False)
    folder: Path
    channel: grpc.aio.Channel = field(repr=False)
    process: ForkedProcess | None = None

    def __post_init__(self) -> None:
        self.chat: chat_pb2_grpc.ChatServiceAsyncStub = chat_pb2_grpc.ChatServiceStub(self.channel)
        self.conversations: conversations_pb2_grpc.ConversationServiceAsyncStub = (
            conversations_pb2_grpc.ConversationServiceStub(self.channel)
        )

    @property
    def is_up(self) -> bool:
        return self.process is not None and self.process.returncode is None

    @property
    def log(self) -> Path:
        return self.folder / f"{self.address.rpartition(':')[2]}.log"

    @property
    def resident_bytes(self) -> int:
        """Returns its memory in bytes."""
        assert self.process is not None
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    async def start(self) -> None:
        environment = {**self.settings, "AICHAT_LISTEN": self.address}
        self.process = await fork(environment, self.folder, "aichat_server", "serve", errors=str(self.log))
        # Over a separate connection: an existing one may lead to the killed server.
        async with grpc.aio.insecure_channel(self.address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
            serving, ended = asyncio.create_task(is_serving(channel)), asyncio.create_task(self.process.wait())
            await asyncio.wait({serving, ended}, return_when=asyncio.FIRST_COMPLETED)
            ended.cancel()
            if not serving.done():
                serving.cancel()
                raise RuntimeError(f"a server did not start:\n{self.log.read_text()}")
            assert serving.result()

    async def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        await self.process.wait()

    async def drain(self) -> int:
        """Asks it to shut down; returns its exit code."""
        assert self.process is not None
        self.process.terminate()
        return await self.process.wait()

    async def close(self) -> None:
        if self.is_up:
            await self.drain()
        await self.channel.close()


@dataclass(frozen=True)
class Rig:
    """All parts of the rig."""

    postgres: MortalPostgres
    redis: RedisUnderTest
    vendors: Vendors
    replicas: tuple[Replica, ...]
    database: Database
    """For what the tests set up."""
    journals: JournalStreams
    orphans: Orphans
    """The workers' job."""
    owner_url: str
    """For what the tests inspect."""
    app_url: str
    """For the servers of a test."""
    settings: dict[str, str] = field(repr=False)
    """The settings that a server needs here, without those that make the rig's own servers faster."""
    folder: Path

    async def up(self) -> None:
        """Starts the parts that an earlier test stopped."""
        if self.postgres.running is None:
            await self.postgres.start()
        if not self.redis.running:
            await self.redis.start()
        async with asyncio.TaskGroup() as group:
            for replica in self.replicas:
                if not replica.is_up:
                    group.create_task(replica.start())

    @asynccontextmanager
    async def reaping(self) -> AsyncGenerator[None, None]:
        """Ends the answers of lost servers all the time, as the workers do once a minute."""

        async def reap() -> None:
            while True:
                # The database may be unreachable, too.
                with suppress(AichatError):
                    await self.orphans.reap(datetime.now(UTC))
                await asyncio.sleep(REAP_SECONDS)

        task = asyncio.create_task(reap())
        try:
            yield
            assert not task.done(), task.result()
        finally:
            task.cancel()

    async def key(self) -> ApiKey:
        """Creates a key of a new organisation."""
        return await minted_key(self.database)


@asynccontextmanager
async def run_rig() -> AsyncGenerator[Rig, None]:
    """Runs the parts; the servers start when a test first calls `up`."""
    async with AsyncExitStack() as stack:
        # Not in pytest's own folder: each run of pytest closes that to other users, such as Postgres's.
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="aichat-faults-")))
        pg_port, *ports = free_ports(3)
        vendors = stack.enter_context(run_vendors(folder))
        redis = await stack.enter_async_context(run_redis())
        postgres = MortalPostgres(folder / "postgres", pg_port)
        stack.push_async_callback(postgres.close)
        first = await postgres.start()
        await migrate(first.owner_url, first.app_url)
        await add_prices(first.owner_url, load_prices(DEFAULT_MODELS))
        database = await stack.enter_async_context(open_database(first.app_url))
        client = await stack.enter_async_context(open_redis(redis.url))
        streams = JournalStreams(client, retention_seconds=RETENTION_SECONDS, rescue_seconds=RETENTION_SECONDS)
        orphans = build_orphans(database, streams, SpareLeases(client), rescue_seconds=RETENTION_SECONDS)
        settings = {
            **{name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ},
            **settings_for(VENDORS, vendors.url),
            "DATABASE_URL": first.app_url,
            "REDIS_URL": redis.url,
            "AICHAT_LOG_LEVEL": "info",
        }
        replicas = tuple(replica_at(f"127.0.0.1:{port}", {**settings, **SETTINGS}, folder) for port in ports)
        for replica in replicas:
            stack.push_async_callback(replica.close)
        made = (postgres, redis, vendors, replicas, database, streams, orphans)
        yield Rig(*made, first.owner_url, first.app_url, settings, folder)


def replica_at(address: str, settings: dict[str, str], folder: Path) -> Replica:
    """Returns a server that listens there once it is started."""
    return Replica(address, settings, folder, grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS))
