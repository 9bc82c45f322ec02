"""The product's own commands, run with the sandbox's settings."""

from __future__ import annotations

import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypedDict

from .envoy import Envoy
from .supervisor import Child, Supervisor


class MintedKey(TypedDict):
    """A new API key, its organisation and its member."""

    organization_id: str
    member_id: str
    key_id: str
    api_key: str


async def load_server(supervisor: Supervisor, folder: Path, environment: Mapping[str, str], processes: int) -> Child:
    """Starts a server that loads its code while it waits for its settings."""
    module = f"aichat_server.commands.{'serve' if processes == 1 else 'serve_each'}"
    command = (sys.executable, "-m", "aichat_sandbox.preloaded", module, "aichat_server", "serve")
    return await supervisor.begin("server", *command, environment=environment, cwd=folder, stdin=PIPE)


@dataclass(frozen=True, slots=True)
class Server:
    """`python -m aichat_server` with one set of settings."""

    supervisor: Supervisor
    folder: Path
    """Its working folder, which has no `.env`."""
    environment: Mapping[str, str] = field(repr=False)
    """All of its settings."""

    async def migrate(self) -> None:
        """Migrates the database to the server's schema."""
        await self._run("migrate", "migrate")

    async def mint_key(self, organization: str, plan: str = "team") -> MintedKey:
        """Creates an organisation with this name on the plan, and returns a key of its owner."""
        command = ("keys", "mint", "--organization", organization, "--owner", "--plan", plan, "--json")
        printed = await self._run("mint", *command)
        minted: MintedKey = json.loads(printed)
        return minted

    async def serve(self, loaded: Child, envoy: Envoy, processes: int) -> None:
        """Gives a loaded server its settings; returns when Envoy has seen each of its processes answer."""

        async def taken_in() -> bool:
            return sum(upstream.healthy for upstream in await envoy.upstreams()) == processes

        await loaded.send(json.dumps(dict(self.environment)))
        await self.supervisor.until_ready(loaded, taken_in)

    async def _run(self, name: str, *arguments: str) -> str:
        command = (sys.executable, "-m", "aichat_server", *arguments)
        return await self.supervisor.run(name, *command, environment=self.environment, cwd=self.folder)
