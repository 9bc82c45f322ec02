"""Several processes on one machine: one for each address, watched, and stopped together."""

import asyncio
import os
import signal
from pathlib import Path

import grpc

from tests.fixtures.server import RunServer, is_serving
from tests.integration.conversations.asking import eventually


async def test_each_address_is_served_by_a_process_of_its_own(run_server: RunServer) -> None:
    async with run_server(processes=2) as server:
        first, second = await children(server.process.pid)
        os.kill(first, signal.SIGKILL)
        for address in server.addresses:
            assert await serving(address)
        again = await children(server.process.pid)
        assert second in again
        assert first not in again
        server.terminate()
        assert await server.process.wait() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in again)


async def test_the_processes_end_when_the_one_that_spawned_them_is_killed(run_server: RunServer) -> None:
    async with run_server(processes=2) as server:
        pids = await children(server.process.pid)
        assert len(pids) == 2
        server.process.kill()

        async def alive() -> list[int]:
            return [pid for pid in pids if not ended(pid)]

        await eventually(alive, lambda found: not found)


async def children(pid: int) -> list[int]:
    text = await asyncio.to_thread(Path(f"/proc/{pid}/task/{pid}/children").read_text)
    return [int(word) for word in text.split()]


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


async def serving(address: str) -> bool:
    async with grpc.aio.insecure_channel(address) as channel:
        return await is_serving(channel)
