"""An edge as in production, with servers behind it; a link leads to each server and to the edge."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from aichat_sandbox.envoy import SERVE
from aichat_sandbox.ports import free_ports
from aichat_sandbox.supervisor import until

from tests.faults.link import HOST, Link
from tests.faults.rig import Replica, Rig, replica_at


@dataclass
class Edge:
    """An edge that keeps its address across restarts."""

    address: str
    admin: str
    upstreams: Sequence[str]
    """The addresses of the servers."""
    settings: dict[str, str] = field(repr=False)
    """The settings that differ from the defaults."""
    log: Path
    process: Process | None = None

    async def start(self) -> None:
        """Starts it; returns once it finds all servers."""
        environment = {
            "PATH": os.environ["PATH"],
            "AICHAT_UPSTREAMS": ",".join(self.upstreams),
            **self.settings,
            "AICHAT_EDGE_LISTEN": self.address,
            "AICHAT_EDGE_ADMIN": self.admin,
        }
        command = (sys.executable, SERVE, "--concurrency", "1")
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=DEVNULL, stderr=log)
        async with asyncio.timeout(60):
            await until(self.finds_all)

    async def stop(self) -> int:
        """Stops it with a signal; returns its exit code."""
        assert self.process is not None
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await self.process.wait()

    async def finds_all(self) -> bool:
        """Whether it sends calls to every server."""
        return len(await self.found()) == len(self.upstreams)

    async def found(self) -> set[str]:
        """Returns the addresses of the servers that it sends calls to."""
        healthy = {"eds_health_status": "HEALTHY"}
        return {_address(host) for host in await self._hosts() if host["health_status"] == healthy}

    async def running(self, address: str) -> int:
        """Returns the number of open calls from the edge to the server at this address."""
        [stats] = [host["stats"] for host in await self._hosts() if _address(host) == address]
        return next(int(stat.get("value", 0)) for stat in stats if stat["name"] == "rq_active")

    async def _hosts(self) -> list[dict[str, Any]]:
        async with httpx.AsyncClient() as http:
            try:
                status = (await http.get(f"http://{self.admin}/clusters?format=json")).json()
            except httpx.TransportError:
                return []
        return [host for cluster in status["cluster_statuses"] for host in cluster.get("host_statuses", ())]


def _address(host: dict[str, Any]) -> str:
    address = host["address"]["socket_address"]
    return f"{address['address']}:{address['port_value']}"


@dataclass(frozen=True)
class Edged:
    """An edge, its servers, and its links."""

    edge: Edge
    servers: Sequence[Replica]
    front: Link
    """Between callers and the edge."""
    backs: Sequence[Link]
    """Between the edge and each server."""

    def heal(self) -> None:
        """Ends the faults of all links."""
        for link in (self.front, *self.backs):
            link.heal()


@asynccontextmanager
async def run_edged(rig: Rig, folder: Path, servers: int = 2) -> AsyncGenerator[Edged, None]:
    """Runs servers and an edge with production's default settings, on the rig's databases and vendors."""
    ports = free_ports(servers + 2)
    settings = {**rig.settings, "AICHAT_ANNOUNCE_SECONDS": "0", "AICHAT_DRAIN_SECONDS": "1"}
    async with AsyncExitStack() as stack:
        replicas = [replica_at(f"{HOST}:{port}", settings, folder) for port in ports[2:]]
        for replica in replicas:
            stack.push_async_callback(replica.close)
        async with asyncio.TaskGroup() as group:
            for replica in replicas:
                group.create_task(replica.start())
        backs = [await stack.enter_async_context(Link(port)) for port in ports[2:]]
        stopping = {"AICHAT_EDGE_ANNOUNCE_SECONDS": "0", "AICHAT_EDGE_DRAIN_SECONDS": "1"}
        edge = Edge(
            f"{HOST}:{ports[0]}",
            f"{HOST}:{ports[1]}",
            [back.address for back in backs],
            stopping,
            folder / f"edge-{ports[0]}.log",
        )
        stack.push_async_callback(edge.stop)
        await edge.start()
        front = await stack.enter_async_context(Link(ports[0]))
        yield Edged(edge, replicas, front, backs)
