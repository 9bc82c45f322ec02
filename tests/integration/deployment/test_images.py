"""The images can be built from the repository, and what they start works."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from aichat_sandbox.ports import free_ports
from aichat_sandbox.postgres import Postgres

from tests.integration.deployment.dockerfile import ROOT, Image, play

START_SECONDS = 60.0
WORKERS = ["python", "-m", "aichat_workers"]
# The images are built once, which takes as long as compiling a module.
pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def server_image() -> Generator[Image, None, None]:
    with TemporaryDirectory(prefix="aichat-image-") as folder:
        yield play(ROOT / "server/Dockerfile", Path(folder))


@pytest.fixture(scope="module")
def edge_image() -> Generator[Image, None, None]:
    with TemporaryDirectory(prefix="aichat-image-") as folder:
        yield play(ROOT / "envoy/Dockerfile", Path(folder))


def environment(image: Image, postgres: Postgres) -> dict[str, str]:
    [port] = free_ports(1)
    return {
        **image.environment,
        "DATABASE_URL": postgres.app_url,
        "AICHAT_MIGRATION_DATABASE_URL": postgres.owner_url,
        "OPENAI_API_KEY": "unused",
        "AICHAT_LISTEN": f"127.0.0.1:{port}",
    }


async def run(image: Image, environment: Mapping[str, str], *command: str) -> tuple[int, str]:
    """Runs a command; returns its exit code and its output."""
    process = await asyncio.create_subprocess_exec(
        *image.argv(*command),
        cwd=image.cwd,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, said.decode()


@asynccontextmanager
async def started(image: Image, environment: Mapping[str, str]) -> AsyncGenerator[asyncio.subprocess.Process, None]:
    """Runs the container's own process until its health check passes; stops it as Docker does."""
    process = await asyncio.create_subprocess_exec(
        *image.argv(*image.entrypoint, *image.command), cwd=image.cwd, env=environment
    )
    try:
        async with asyncio.timeout(START_SECONDS):
            while (await run(image, environment, *image.healthcheck))[0] != 0:
                assert process.returncode is None, "it gave up"
        yield process
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
        await process.wait()


async def test_the_servers_image_is_built_and_its_commands_work(server_image: Image, postgres: Postgres) -> None:
    settings = environment(server_image, postgres)
    code, said = await run(server_image, settings, *server_image.entrypoint, "check-config")
    assert (code, said) == (0, "the settings are complete and well-formed\n")
    code, said = await run(server_image, settings, *server_image.entrypoint, "migrate")
    assert code == 0, said
    code, said = await run(server_image, settings, *WORKERS, "run", "orphans", "--dry-run")
    assert code == 0, said
    assert "orphans (dry run): " in said
    code, _ = await run(server_image, settings, *server_image.healthcheck)
    assert code == 1, "nobody serves"


async def test_servers_and_edge_start_and_are_well(server_image: Image, edge_image: Image, postgres: Postgres) -> None:
    settings = environment(server_image, postgres)
    [edge, admin] = free_ports(2)
    at_edge = {
        **edge_image.environment,
        "AICHAT_EDGE_LISTEN": f"127.0.0.1:{edge}",
        "AICHAT_EDGE_ADMIN": f"127.0.0.1:{admin}",
        "AICHAT_EDGE_HEALTH_CHECK_SECONDS": "0.2",
        "AICHAT_UPSTREAMS": settings["AICHAT_LISTEN"],
    }
    async with started(server_image, settings) as server, started(edge_image, at_edge) as envoy:
        pass
    assert (server.returncode, envoy.returncode) == (0, 0)
