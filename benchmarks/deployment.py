"""What is measured: two relays and the server, uncoalesced and coalesced, over one stand-in vendor and one Postgres."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from aichat_sandbox.postgres import Postgres, run_postgres

from benchmarks.processes import MEASURED_CORE, listens, output_of, port_in, started

MODEL = "gpt-6-luna"


@dataclass(frozen=True, slots=True)
class Target:
    """One server to measure."""

    name: str
    pid: int
    address: str
    key: str


@asynccontextmanager
async def deployed(folder: Path) -> AsyncGenerator[tuple[dict[str, Target], str], None]:
    """Starts everything; the targets by name (bare, typed, uncoalesced, coalesced) and the vendor's base URL."""
    async with AsyncExitStack() as stack:
        postgres = await stack.enter_async_context(run_postgres(folder / "postgres"))
        port_file = folder / "vendors.port"
        arguments = ("aichat_sandbox.vendors", "--port", "0", "--port-file", str(port_file))
        vendors = await stack.enter_async_context(started(*arguments))
        upstream = f"http://127.0.0.1:{await port_in(port_file, vendors)}/openai/v1"
        key = await _prepare(postgres)
        found = {}
        for kind in ("bare", "typed"):
            found[kind] = await stack.enter_async_context(_relay(kind, upstream, folder))
        for name, seconds in (("uncoalesced", "0"), ("coalesced", "0.05")):
            environment = _environment(postgres, upstream) | {"AICHAT_COALESCE_SECONDS": seconds}
            found[name] = await stack.enter_async_context(_server(name, environment, key))
        yield found, upstream


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
        "OPENAI_API_KEY": "bench",
        "OPENAI_BASE_URL": upstream,
    }


@asynccontextmanager
async def _relay(kind: str, upstream: str, folder: Path) -> AsyncGenerator[Target, None]:
    port_file = folder / f"{kind}.port"
    arguments = ("benchmarks.relays", kind, "--upstream", upstream, "--port-file", str(port_file))
    async with started(*arguments, core=MEASURED_CORE) as process:
        port = await port_in(port_file, process)
        yield Target(kind, process.pid, f"127.0.0.1:{port}", "none")


@asynccontextmanager
async def _server(name: str, environment: dict[str, str], key: str) -> AsyncGenerator[Target, None]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = environment | {"AICHAT_LISTEN": address}
    async with started("aichat_server", "serve", env=environment, core=MEASURED_CORE) as process:
        await listens(address, process)
        yield Target(name, process.pid, address, key)
