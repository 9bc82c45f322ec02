"""`make bench`: measures the hot path, hourly sums and invoices beside a minimal and a usual implementation.

Everything is measured in one run on this machine, so that the ratios are valid where the absolute figures are not. The
measured process has a core to itself, with authentication and the database on; `--quick` is a smoke test.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import aiohttp

from benchmarks.caching import measure_caching, print_caching
from benchmarks.compat import measure_compat, print_compat
from benchmarks.deployment import MODEL, Target, conversing, deployed
from benchmarks.embeddings import measure_embeddings, print_embeddings
from benchmarks.files import measure_files, print_files
from benchmarks.invoices import measure_invoices, print_invoices
from benchmarks.load import Load, Seen, run
from benchmarks.paced import measure_paced, print_paced
from benchmarks.parts import measure_parts
from benchmarks.processes import cpu_seconds, leave_measured_core, memory_bytes
from benchmarks.rollups import measure_rollups, print_rollups
from benchmarks.tables import Cost, print_costs, print_turns
from benchmarks.turns import measure_turns


@dataclass(frozen=True, slots=True)
class Plan:
    """The amounts to measure."""

    rounds: int
    streams: int
    deltas: int
    first_deltas: int
    waiting_turns: int
    waiting_seconds: int
    paced_streams: Sequence[int]
    paced_seconds: float
    usage_events: int
    invoices: int
    embedding_calls: int


# A second delta follows soon after the first, so that later ones do not affect the time to the first.
FIRST = {"words": 2, "interval_ms": 10}

FULL = Plan(
    rounds=5,
    streams=40,
    deltas=200,
    first_deltas=100,
    waiting_turns=200,
    waiting_seconds=20,
    paced_streams=(40, 200, 400),
    paced_seconds=10,
    usage_events=1_000_000,
    invoices=2_000,
    embedding_calls=100,
)
QUICK = Plan(
    rounds=1,
    streams=4,
    deltas=20,
    first_deltas=20,
    waiting_turns=8,
    waiting_seconds=1,
    paced_streams=(4,),
    paced_seconds=1,
    usage_events=5_000,
    invoices=20,
    embedding_calls=3,
)

COMPAT = "compat"
PARTS = ("chat", COMPAT, "paced", "rollups", "invoices", "files")
CACHING, EMBEDDINGS = "caching", "embeddings"
"""Measured with the chat; alone if they are named."""


async def main(plan: Plan, parts: Sequence[str]) -> None:  # noqa: C901 — one case for each part
    """Measures and prints the tables."""
    if "chat" in parts:
        await measure_chat(plan)
    if CACHING in parts:
        with TemporaryDirectory(prefix="aichat-bench-") as folder:
            async with conversing(Path(folder)) as target:
                print_caching(await measure_caching(target))
    if COMPAT in parts:
        await measure_apis(plan)
    if EMBEDDINGS in parts:
        with TemporaryDirectory(prefix="aichat-bench-") as folder:
            leave_measured_core()
            async with deployed(Path(folder)) as deployment:
                calls, rounds = plan.embedding_calls, plan.rounds
                print_embeddings(await measure_embeddings(deployment, Path(folder), calls=calls, rounds=rounds))
    if "paced" in parts:
        with TemporaryDirectory(prefix="aichat-bench-") as folder:
            streams, seconds = plan.paced_streams, plan.paced_seconds
            print_paced(await measure_paced(Path(folder), streams=streams, seconds=seconds, rounds=plan.rounds))
    if "rollups" in parts:
        with TemporaryDirectory(prefix="aichat-bench-") as folder:
            print_rollups(await measure_rollups(Path(folder), events=plan.usage_events, rounds=plan.rounds))
    if "invoices" in parts:
        with TemporaryDirectory(prefix="aichat-bench-") as folder:
            print_invoices(await measure_invoices(Path(folder), organizations=plan.invoices))
    if "files" in parts:
        with TemporaryDirectory(prefix="aichat-bench-") as folder:
            print_files(await measure_files(Path(folder), rounds=plan.rounds))


async def measure_apis(plan: Plan) -> None:
    """Measures the APIs of other companies and prints their cost."""
    with TemporaryDirectory(prefix="aichat-bench-") as folder:
        sizes = {"streams": plan.streams, "deltas": plan.deltas, "turns": plan.first_deltas}
        print_compat(await measure_compat(Path(folder), **sizes, rounds=plan.rounds))


async def measure_chat(plan: Plan) -> None:
    """Measures the hot path and prints its cost."""
    leave_measured_core()
    with TemporaryDirectory(prefix="aichat-bench-") as folder:
        async with deployed(Path(folder)) as deployment:
            found = deployment.targets
            costs = await measure_costs(found, plan)
            vendor = await measure_vendor(deployment.upstream, plan)
            hold_turns = partial(_load, found["alone"], FIRST, streams=plan.first_deltas, one_by_one=True)
            turns = await measure_turns(deployment, hold_turns, turns=plan.first_deltas, rounds=plan.rounds)
            memory = await measure_memory(found["coalesced"], plan)
            parts = await measure_parts(
                deployment, streams=plan.streams, deltas=plan.deltas, turns=plan.first_deltas, rounds=plan.rounds
            )
            caching = await measure_caching(found["alone"])
            embeddings = await measure_embeddings(
                deployment, Path(folder), calls=plan.embedding_calls, rounds=plan.rounds
            )
    print_costs(costs, vendor)
    print_turns(turns, memory, parts)
    print_caching(caching)
    print_embeddings(embeddings)


async def measure_costs(found: Mapping[str, Target], plan: Plan) -> dict[str, Cost]:
    """Returns each target's CPU per delta and time to first delta; the targets take turns within each round."""
    costs = {name: Cost() for name in found}
    for target in found.values():
        await _load(target, {"words": 5}, streams=plan.streams)
    for _ in range(plan.rounds):
        for name, target in found.items():
            before = cpu_seconds(target.pid)
            await _load(target, {"words": plan.deltas, "interval_ms": 20}, streams=plan.streams)
            used = cpu_seconds(target.pid) - before
            costs[name].cpu_per_delta.append(used / (plan.streams * plan.deltas))
            seen = await _load(target, FIRST, streams=plan.first_deltas, one_by_one=True)
            costs[name].first_delta.append(statistics.median(seen.first_delta_seconds))
    return costs


async def measure_vendor(upstream: str, plan: Plan) -> float:
    """Returns the vendor's own median time to the first delta, over raw HTTP, in seconds."""
    script = f"#script {json.dumps(FIRST)}"
    body = {"model": MODEL, "messages": [{"role": "user", "content": script}], "stream": True}
    seconds = []
    async with aiohttp.ClientSession(headers={"authorization": "Bearer bench"}) as session:
        for _ in range(plan.first_deltas):
            began = time.perf_counter()
            async with session.post(f"{upstream}/chat/completions", json=body) as response:
                async for line in response.content:
                    if b'"content":"' in line.replace(b'": "', b'":"') and b'"content":""' not in line:
                        seconds.append(time.perf_counter() - began)
                        break
                await response.read()
    return statistics.median(seconds)


async def measure_memory(target: Target, plan: Plan) -> float:
    """Returns the bytes of memory that a turn uses while it waits for its vendor."""
    idle = memory_bytes(target.pid)
    script = {"words": 2, "hang_after": 1}
    waiting = asyncio.create_task(_load(target, script, streams=plan.waiting_turns, seconds=plan.waiting_seconds))
    held = idle
    while not waiting.done():
        held = max(held, memory_bytes(target.pid))
        await asyncio.wait({waiting}, timeout=0.2)
    await waiting
    return (held - idle) / plan.waiting_turns


async def _load(
    target: Target,
    script: Mapping[str, object],
    *,
    streams: int,
    one_by_one: bool = False,
    seconds: float | None = None,
) -> Seen:
    text = f"#script {json.dumps(script)}"
    return await run(Load(target.address, target.key, MODEL, text, streams, one_by_one=one_by_one, seconds=seconds))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="measure little, to check that the benchmark works")
    parser.add_argument("part", nargs="?", choices=(*PARTS, CACHING, EMBEDDINGS), help="measure only this")
    options = parser.parse_args()
    asyncio.run(main(QUICK if options.quick else FULL, [options.part] if options.part else PARTS))
