"""The measured programs: two relays, and the server in several configurations, with one vendor, Postgres and Redis."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aichat_sandbox.ports import free_ports
from aichat_sandbox.postgres import Postgres, run_postgres
from aichat_sandbox.redis import is_up, redis_command

from benchmarks.processes import command, listens, output_of, port_in, started
from benchmarks.wire import Wire, at_port, counted

MODEL = "gpt-6-luna"


@dataclass(frozen=True, slots=True)
class Target:
    """One server to measure."""

    name: str
    pid: int
    address: str
    key: str


@dataclass(frozen=True, slots=True)
class Deployment:
    """All running programs."""

    targets: dict[str, Target]
    upstream: str
    """The vendor's base URL."""
    postgres: Postgres
    wire: Wire
    """Between the target `alone` and the database."""


@asynccontextmanager
async def deployed(folder: Path) -> AsyncGenerator[Deployment, None]:
    """Starts everything; yields the targets by name (see tables.NAMES), and the programs around them."""
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(run_postgres(folder / "postgres"))
        redis_url = await stack.enter_async_context(_redis(folder))
        wire = await stack.enter_async_context(counted(postgres.port))
        port_file = folder / "vendors.port"
        arguments = ("aichat_sandbox.vendors", "--port", "0", "--port-file", str(port_file))
        vendors = await stack.enter_async_context(started(*arguments))
        upstream = f"http://127.0.0.1:{await port_in(port_file, vendors)}/openai/v1"
        key = await _prepare(postgres)
        found = {}
        for kind in ("bare", "typed"):
            found[kind] = await stack.enter_async_context(_relay(kind, upstream, folder))
        settings = _environment(postgres, upstream) | _claude(upstream)
        settings |= {"AICHAT_FILES_URL": (folder / "files").as_uri()}
        for name, ours in (
            ("uncoalesced", settings | {"REDIS_URL": redis_url, "AICHAT_COALESCE_SECONDS": "0"}),
            ("coalesced", settings | {"REDIS_URL": redis_url}),
            ("alone", settings | {"DATABASE_URL": at_port(postgres.app_url, wire.port)}),
        ):
            found[name] = await stack.enter_async_context(_server(name, ours, key))
        yield Deployment(found, upstream, postgres, wire)


@asynccontextmanager
async def paced(folder: Path) -> AsyncGenerator[list[Target], None]:
    """Two relays and the server, over a vendor that feeds hundreds of streams."""
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(run_postgres(folder / "postgres"))
        redis_url = await stack.enter_async_context(_redis(folder))
        port_file = folder / "vendor.port"
        vendor = await stack.enter_async_context(started("benchmarks.vendor", "--port-file", str(port_file)))
        upstream = f"http://127.0.0.1:{await port_in(port_file, vendor)}/v1"
        key = await _prepare(postgres)
        relays = [await stack.enter_async_context(_relay(kind, upstream, folder)) for kind in ("bare", "ticked")]
        ours = _environment(postgres, upstream) | {"REDIS_URL": redis_url}
        yield [*relays, await stack.enter_async_context(_server("coalesced", ours, key))]


@asynccontextmanager
async def conversing(folder: Path, *module: str) -> AsyncGenerator[Target, None]:
    """The server alone, over the stand-in for vendors. `module`: what serves, if not the server's command."""
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(run_postgres(folder / "postgres"))
        port_file = folder / "vendors.port"
        arguments = ("aichat_sandbox.vendors", "--port", "0", "--port-file", str(port_file))
        vendors = await stack.enter_async_context(started(*arguments))
        upstream = f"http://127.0.0.1:{await port_in(port_file, vendors)}/openai/v1"
        key = await _prepare(postgres)
        settings = _environment(postgres, upstream) | _claude(upstream)
        settings |= {"AICHAT_FILES_URL": (folder / "files").as_uri()}
        yield await stack.enter_async_context(_server("alone", settings, key, *module))


@asynccontextmanager
async def compatible(folder: Path) -> AsyncGenerator[tuple[Target, str], None]:
    """The server with Redis, over the stand-in for vendors; yields it, and the stand-in's root."""
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(run_postgres(folder / "postgres"))
        redis_url = await stack.enter_async_context(_redis(folder))
        port_file = folder / "vendors.port"
        arguments = ("aichat_sandbox.vendors", "--port", "0", "--port-file", str(port_file))
        vendors = await stack.enter_async_context(started(*arguments))
        root = f"http://127.0.0.1:{await port_in(port_file, vendors)}"
        key = await _prepare(postgres)
        upstream = f"{root}/openai/v1"
        settings = _environment(postgres, upstream) | _claude(upstream) | {"REDIS_URL": redis_url}
        settings |= {"AICHAT_FILES_URL": (folder / "files").as_uri(), "AICHAT_OPENAI_API": "responses"}
        yield await stack.enter_async_context(_server("compatible", settings, key)), root


async def _prepare(postgres: Postgres) -> str:
    environment = _environment(postgres, "http://127.0.0.1:1")
    await output_of("aichat_server", "migrate", env=environment)
    mint = ("keys", "mint", "--organization", "bench", "--plan", "team", "--json")
    minted = await output_of("aichat_server", *mint, env=environment)
    return str(json.loads(minted)["api_key"])


def _environment(postgres: Postgres, upstream: str) -> dict[str, str]:
    return {
        "DATABASE_URL": postgres.app_url,
        "AICHAT_MIGRATION_DATABASE_URL": postgres.owner_url,
        "AICHAT_LOG_LEVEL": "warning",
        # Background work must not count for any turn.
        "AICHAT_LEASE_SECONDS": "600",
        "AICHAT_PRICE_REFRESH_SECONDS": "3600",
        "AICHAT_AUTH_CACHE_SECONDS": "3600",
        # Nobody waits for the streams that are left open.
        "AICHAT_DRAIN_SECONDS": "0",
        "OPENAI_API_KEY": "bench",
        "OPENAI_BASE_URL": upstream,
    }


def _claude(upstream: str) -> dict[str, str]:
    return {"ANTHROPIC_API_KEY": "bench", "ANTHROPIC_BASE_URL": upstream.replace("/openai/v1", "/anthropic")}


@asynccontextmanager
async def _redis(folder: Path) -> AsyncGenerator[str, None]:
    [port] = free_ports(1)
    async with command(*redis_command(folder, port), "--save", "", "--logfile", folder / "redis.log"):
        while not await is_up(port):
            await asyncio.sleep(0.02)
        yield f"redis://127.0.0.1:{port}/0"


@asynccontextmanager
async def _relay(kind: str, upstream: str, folder: Path) -> AsyncGenerator[Target, None]:
    port_file = folder / f"{kind}.port"
    arguments = ("benchmarks.relays", kind, "--upstream", upstream, "--port-file", str(port_file))
    async with started(*arguments, measured=True) as process:
        port = await port_in(port_file, process)
        yield Target(kind, process.pid, f"127.0.0.1:{port}", "none")


@asynccontextmanager
async def _server(name: str, environment: dict[str, str], key: str, *module: str) -> AsyncGenerator[Target, None]:
    address = f"127.0.0.1:{free_ports(1)[0]}"
    environment = environment | {"AICHAT_LISTEN": address}
    async with started(*(module or ("aichat_server", "serve")), env=environment, measured=True) as process:
        await listens(address, process)
        yield Target(name, process.pid, address, key)
