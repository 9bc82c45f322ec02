"""A server whose connections can all go silent: a link leads to the database, to Redis and to the vendors."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aichat_sandbox.ports import free_ports
from aichat_sandbox.standins import VENDORS, settings_for

from tests.faults.link import Link, link_to
from tests.faults.rig import Replica, Rig, replica_at


@dataclass(frozen=True)
class Linked:
    """The server and its links."""

    replica: Replica
    postgres: Link
    redis: Link
    vendors: Link

    @property
    def links(self) -> dict[str, Link]:
        """The links by name."""
        return {"postgres": self.postgres, "redis": self.redis, "vendors": self.vendors}


@asynccontextmanager
async def run_linked(rig: Rig, **settings: str) -> AsyncGenerator[Linked, None]:
    """Runs a server beside the rig's own, with production's defaults except for `settings`.

    Kills it at the end if needed.
    """
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(link_to(rig.app_url))
        redis = await stack.enter_async_context(link_to(rig.redis.url))
        vendors = await stack.enter_async_context(link_to(rig.vendors.url))
        [port] = free_ports(1)
        environment = {
            **rig.settings,
            **settings_for(VENDORS, vendors.through(rig.vendors.url)),
            "DATABASE_URL": postgres.through(rig.app_url),
            "REDIS_URL": redis.through(rig.redis.url),
            "AICHAT_ANNOUNCE_SECONDS": "0",
            **settings,
        }
        replica = replica_at(f"127.0.0.1:{port}", environment, rig.folder)
        await replica.start()
        linked = Linked(replica, postgres, redis, vendors)
        try:
            yield linked
        finally:
            for link in linked.links.values():
                link.heal()
            if replica.is_up:
                await replica.kill()
            await replica.close()
