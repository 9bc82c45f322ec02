"""A small deployment with links that can be broken: callers, an edge, two servers, and the services they depend on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import grpc
from aichat_sandbox.ports import free_ports

from tests.faults.edge import Edge
from tests.faults.link import HOST, Link, link_to
from tests.faults.linked import run_linked
from tests.faults.load import Turn, follow, marked
from tests.faults.rig import CHANNEL_OPTIONS, Replica, Rig
from tests.fixtures.nursery import ForkedProcess, fork
from tests.fixtures.rows import connection
from tests.integration.conversations.asking import Event

SERVERS = 2
# A silent vendor and an unavailable model recover in seconds; all other settings are production's.
SETTINGS = {"AICHAT_PROVIDER_STALL_SECONDS": "8", "AICHAT_PROVIDER_CIRCUIT_SECONDS": "3"}
# As in the SDK, so that callers detect a dead connection within 15 s.
CALLER_OPTIONS = [
    *CHANNEL_OPTIONS,
    ("grpc.keepalive_time_ms", 5_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.http2.bdp_probe", 0),
]


@dataclass(frozen=True)
class Network:
    """All parts. `rig` has Postgres, Redis and the vendors, and its replicas are callers at the edge."""

    rig: Rig
    servers: tuple[Replica, ...]
    """The servers as their neighbours reach them, without the edge and the links."""
    links: dict[str, Sequence[Link]]
    """The links by their names in docs/faults.md, as far as they exist here."""

    async def heal(self) -> None:
        """Ends all faults."""
        for links in self.links.values():
            for link in links:
                link.heal()
                await link.restore()

    async def whole(self) -> None:
        """Returns once calls work: at the edge, on each server, and on each for an answer of the other."""
        here, there = self.servers
        key = await self.rig.key()
        for sender, reader in ((here, there), (there, here), (self.rig.replicas[0],) * 2):
            while not await is_read_elsewhere(Turn(key, marked(words=4, interval_ms=100)), sender, reader):
                await asyncio.sleep(0.1)

    async def jobs_done(self) -> None:
        """Returns once the worker has done a job that began after this call; one is due every minute."""
        async with connection(self.rig.owner_url) as owner:
            runs = (
                "SELECT succeeded_at FROM aichat.job_runs WHERE job = 'orphans' AND started_at > $1 AND holder IS NULL"
            )
            now = await owner.fetchval("SELECT clock_timestamp()")
            while not await owner.fetchval(runs, now):
                await asyncio.sleep(0.2)


async def is_read_elsewhere(turn: Turn, sender: Replica, reader: Replica) -> bool:
    """Whether an answer that began on one server can be read on the other; False at the first failure."""
    call = turn.send(sender)
    try:
        while turn.started is None:
            event = await call.read()
            if event is grpc.aio.EOF:
                return False
            turn.take(cast("Event", event))
        await follow(turn, reader, resume=True)
    except grpc.aio.AioRpcError:
        return False
    finally:
        call.cancel()
    return turn.completed is not None


@asynccontextmanager
async def run_network(rig: Rig, folder: Path) -> AsyncGenerator[Network, None]:
    """Runs the network beside the rig's own servers, on its databases and vendors."""
    async with AsyncExitStack() as stack:
        linked = [await stack.enter_async_context(run_linked(rig, **SETTINGS)) for _ in range(SERVERS)]
        ways = [await stack.enter_async_context(link_to(f"//{one.replica.address}")) for one in linked]
        edge = _edge([way.address for way in ways], folder)
        stack.push_async_callback(edge.stop)
        await edge.start()
        front = await stack.enter_async_context(link_to(f"//{edge.address}"))
        worker = {name: await stack.enter_async_context(link_to(url)) for name, url in _urls(rig).items()}
        await stack.enter_async_context(_worker(rig, worker, folder))
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(front.address, options=CALLER_OPTIONS))
        caller = Replica(front.address, {}, folder, channel)
        links: dict[str, Sequence[Link]] = {
            "caller ↔ edge": [front],
            "edge ↔ server": ways[:1],
            "server ↔ Postgres": [one.postgres for one in linked],
            "server ↔ Redis": [one.redis for one in linked],
            "server ↔ vendor": [one.vendors for one in linked],
            "worker ↔ Postgres": [worker["DATABASE_URL"]],
            "worker ↔ Redis": [worker["REDIS_URL"]],
        }
        yield Network(replace(rig, replicas=(caller,)), tuple(one.replica for one in linked), links)


def _edge(upstreams: Sequence[str], folder: Path) -> Edge:
    address, admin = (f"{HOST}:{port}" for port in free_ports(2))
    return Edge(address, admin, upstreams, {"AICHAT_EDGE_ANNOUNCE_SECONDS": "0"}, folder / "edge.log")


def _urls(rig: Rig) -> dict[str, str]:
    return {"DATABASE_URL": rig.app_url, "REDIS_URL": rig.redis.url}


@asynccontextmanager
async def _worker(rig: Rig, links: dict[str, Link], folder: Path) -> AsyncGenerator[ForkedProcess, None]:
    """Runs the real command of the workers, over the links."""
    environment = {**rig.settings, **{name: links[name].through(url) for name, url in _urls(rig).items()}}
    process = await fork(environment, folder, "aichat_workers", "serve", errors="worker.log", output="worker.log")
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
