"""Versions of the platform as processes: this one, and the previous landing, from git."""

from __future__ import annotations

import asyncio
import io
import json
import subprocess
import sys
import tarfile
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import grpc
from aichat_sandbox.ports import free_ports

from tests.fixtures.nursery import ForkedProcess, fork
from tests.fixtures.server import ApiKey, ServerUnderTest, is_serving, start

_ROOT = Path(__file__).resolve().parents[3]
# The previous landing.
_BEFORE = "d697b54b044cdd00e8eb579f72feadbb89f2ce87"
_PARTS = ("server/src", "server/migrations", "workers/src", "gen/python")


@dataclass(frozen=True)
class Version:
    """A version of the code, with its settings."""

    environment: Mapping[str, str]
    folder: Path
    is_previous: bool = False

    async def run(self, *command: str) -> tuple[int, str, str]:
        """Runs a command; returns its exit code and its output."""
        if not self.is_previous:
            return await self._forked(*command)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", *command),
            cwd=self.folder,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def _forked(self, *command: str) -> tuple[int, str, str]:
        with TemporaryDirectory() as folder:
            out, err = Path(folder, "out"), Path(folder, "err")
            process = await fork(self.environment, self.folder, *command, errors=str(err), output=str(out))
            return await process.wait(), out.read_text(), err.read_text()

    async def done(self, *command: str) -> str:
        """Returns the output of a command that succeeds."""
        code, out, err = await self.run(*command)
        assert code == 0, err
        return out

    @asynccontextmanager
    async def serving(self) -> AsyncGenerator[ServerUnderTest, None]:
        """Runs a server of this version."""
        [port] = free_ports(1)
        address = f"127.0.0.1:{port}"
        environment = {**self.environment, "AICHAT_LISTEN": address}
        if self.is_previous:
            process: asyncio.subprocess.Process | ForkedProcess = await start(self.folder, environment)
        else:
            process = await fork(environment, self.folder, "aichat_server", "serve", errors="log")
        try:
            async with grpc.aio.insecure_channel(address) as channel:
                assert await is_serving(channel)
                yield ServerUnderTest(process, [address], channel, self.folder / "log")
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


def version_before(now: Version, folder: Path) -> Version:
    """Unpacks the previous landing into `folder`; it runs with the same settings."""
    command = ["git", "archive", _BEFORE, *_PARTS]
    archive = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
        # The archive is our own; filters came with Python 3.11.4.
        packed.extractall(folder)  # noqa: S202
    path = ":".join(str(folder / part) for part in _PARTS if part != "server/migrations")
    return Version({**now.environment, "PYTHONPATH": path}, folder, is_previous=True)


async def minted(version: Version, *options: str) -> ApiKey:
    """Mints an API key; `options` say for whom."""
    key = json.loads(await version.done("aichat_server", "keys", "mint", "--json", *options))
    return ApiKey(key["organization_id"], key["member_id"], key["key_id"], key["api_key"])
