"""LiteLLM's proxy in the server's place, if the command `litellm` is installed: its Python path and its Rust path."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aichat_sandbox.ports import free_ports

from benchmarks.processes import MEASURED_CORE, command, cpu_seconds, listens

_MODEL = "gpt-6-luna"
_PATHS = {"LiteLLM's proxy, Chat Completions": {}, "the same by its Rust path": {"rust": True}}


async def measure_litellm(
    folder: Path, upstream: str, *, streams: int, deltas: int, rounds: int
) -> dict[str, list[float]]:
    """Returns the seconds of CPU for each delta, one figure per round; nothing if it is not installed.

    `upstream` is the root of the vendors' stand-in.
    """
    found: dict[str, list[float]] = {}
    for name, params in _PATHS.items():
        async with _proxy(folder, upstream, params) as proxy:
            if proxy is None:
                break
            pid, address = proxy
            await _run(address, streams=2, words=5)
            found[name] = []
            for _ in range(rounds):
                before = cpu_seconds(pid)
                await _run(address, streams=streams, words=deltas)
                found[name].append((cpu_seconds(pid) - before) / (streams * deltas))
    return found


@asynccontextmanager
async def _proxy(folder: Path, upstream: str, params: dict[str, bool]) -> AsyncGenerator[tuple[int, str] | None, None]:
    """Yields the proxy's process and address; None if it is not installed."""
    binary = shutil.which("litellm")
    if binary is None:
        yield None
        return
    model = {"model": f"openai/{_MODEL}", "api_base": f"{upstream}/openai/v1", "api_key": "bench", **params}
    config = folder / "litellm.yaml"
    config.write_text(json.dumps({"model_list": [{"model_name": _MODEL, "litellm_params": model}]}))
    [port] = free_ports(1)
    words = (binary, "--config", config, "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1")
    # It would load its list of prices from the internet, print each call, and ask for a key of its own.
    settings = {
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LITELLM_LOG": "ERROR",
        "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
    }
    with (folder / "litellm.log").open("wb") as log:
        async with command(*words, env={**os.environ, **settings}, output=log) as process:
            os.sched_setaffinity(process.pid, {MEASURED_CORE})
            await listens(f"127.0.0.1:{port}", process)
            yield process.pid, f"127.0.0.1:{port}"


async def _run(address: str, *, streams: int, words: int) -> None:
    script = f"#script {json.dumps({'words': words, 'interval_ms': 20})}"
    body = {"model": _MODEL, "stream": True, "messages": [{"role": "user", "content": script}]}
    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for _ in range(streams):
            group.create_task(_ask(session, address, body))


async def _ask(session: aiohttp.ClientSession, address: str, body: dict[str, object]) -> None:
    async with session.post(f"http://{address}/v1/chat/completions", json=body) as response:
        answer = await response.read()
        if b"[DONE]" not in answer:
            raise RuntimeError(f"LiteLLM answers {response.status}, and measures nothing")
