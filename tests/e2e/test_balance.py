"""Several server processes behind one edge."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import httpx
from aichat_sandbox.platform import Platform
from aichat_sandbox.ports import free_ports

from tests.e2e.calls import CHAT, chat_body, chat_events, error_of, script

# A process that dies sooner after its start stops the others: a restart would fail as well.
SETTLED_SECONDS = 6.0
HEALTH_CHECK = Path(__file__).resolve().parents[2] / "server/docker/healthcheck.py"


async def calls(platform: Platform) -> dict[str, int]:
    return {upstream.address: upstream.calls for upstream in await platform.envoy.upstreams()}


def process_behind(platform: Platform, address: str) -> int:
    """Returns the server process that listens on this address."""
    parent = platform.supervisor.pids["server"]
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    own = f"AICHAT_LISTEN={address}\0".encode()
    return next(int(pid) for pid in children if own in Path(f"/proc/{pid}/environ").read_bytes())


def age(pid: int) -> float:
    """Returns the seconds since this process started."""
    ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")


async def test_calls_are_spread_over_all_processes(platform: Platform, http: httpx.AsyncClient) -> None:
    before = await calls(platform)
    await asyncio.gather(*(http.get("/v1/models") for _ in range(40)))
    after = await calls(platform)
    assert set(after) == set(platform.upstreams)
    assert all(after[address] - before[address] >= 5 for address in after)


async def kill(platform: Platform, address: str) -> int:
    """Kills the server process that listens there, once it is old enough to be restarted."""
    pid = process_behind(platform, address)
    while age(pid) < SETTLED_SECONDS:
        await asyncio.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    return pid


async def test_the_containers_health_check_asks_every_process(platform: Platform) -> None:
    async def check(*addresses: str) -> int:
        environment = {"PATH": os.environ["PATH"], "AICHAT_LISTEN": ",".join(addresses)}
        process = await asyncio.create_subprocess_exec(sys.executable, HEALTH_CHECK, env=environment)
        return await process.wait()

    [nobody] = free_ports(1)
    assert await check(*platform.upstreams) == 0
    assert await check(platform.upstreams[0], f"0.0.0.0:{nobody}") == 1


async def test_when_one_process_dies_the_others_serve_and_it_comes_back(
    platform: Platform, http: httpx.AsyncClient
) -> None:
    dead = await kill(platform, platform.upstreams[0])
    async with asyncio.timeout(60):
        await platform.envoy.wait_for_upstreams(1)
        answers = await asyncio.gather(*(http.get("/v1/models") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
        assert "completed" in (await chat_events(http, "Are you there?"))[-1]
        await platform.envoy.wait_for_upstreams(2)
    assert process_behind(platform, platform.upstreams[0]) != dead


async def test_a_call_whose_process_dies_is_told_and_not_sent_again(
    platform: Platform, http: httpx.AsyncClient
) -> None:
    before = await calls(platform)
    hanging = [asyncio.create_task(http.post(CHAT, json=chat_body(script(hang=True)))) for _ in range(6)]
    async with asyncio.timeout(60):
        while sum((now := await calls(platform)).values()) < sum(before.values()) + len(hanging):
            await asyncio.sleep(0.02)
        mortal = platform.upstreams[1]
        await kill(platform, mortal)
        done, rest = await asyncio.wait(hanging, return_when=asyncio.FIRST_COMPLETED)
        assert {error_of(task.result())[:2] for task in done} == {(503, "SERVER_UNAVAILABLE")}
        # The surviving process has received no more calls than before.
        alive = platform.upstreams[0]
        assert (await calls(platform))[alive] == now[alive]
        for task in rest:
            task.cancel()
        await platform.envoy.wait_for_upstreams(2)
