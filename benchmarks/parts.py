"""Measures what tools and images cost beside text: deltas of a tool's arguments, and turns with ten images."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

import asyncpg
from aichat.v1 import messages_pb2, options_pb2, parts_pb2

from benchmarks.deployment import MODEL, Deployment, Target
from benchmarks.load import Load, run
from benchmarks.processes import cpu_seconds
from benchmarks.tables import Parts
from benchmarks.turns import database_seconds

IMAGES = 10
_TOOL = options_pb2.Tool(name="note", description="Notes a text.")
_FIRST = {"words": 2}


async def measure_parts(deployment: Deployment, *, streams: int, deltas: int, turns: int, rounds: int) -> Parts:
    """Compares tools with text on the target `coalesced`, and images with text on the target `alone`, in turns."""
    measured = Parts()
    text = {"deltas": _words(deltas), "interval_ms": 20}
    called = {"name": _TOOL.name, "arguments": "".join(_words(deltas)), "pieces": deltas}
    calling = _load(
        deployment.targets["coalesced"], {"empty": True, "tools": [called], "interval_ms": 20}, streams, tools=[_TOOL]
    )
    texting = _load(deployment.targets["coalesced"], text, streams)
    short = replace(_load(deployment.targets["alone"], _FIRST, turns), one_by_one=True)
    pictured = replace(short, more=tuple(_image(number) for number in range(IMAGES)))
    owner = await asyncpg.connect(deployment.postgres.owner_url)
    try:
        for load in (calling, pictured):
            await run(replace(load, streams=1))
        for _ in range(rounds):
            for load, costs in ((texting, measured.text_delta), (calling, measured.argument_delta)):
                before = cpu_seconds(deployment.targets["coalesced"].pid)
                await run(load)
                costs.append((cpu_seconds(deployment.targets["coalesced"].pid) - before) / (streams * deltas))
            for load, costs in ((short, measured.text_turn), (pictured, measured.image_turn)):
                begun = await _turn_seconds(owner, deployment.targets["alone"])
                await run(load)
                costs.append((await _turn_seconds(owner, deployment.targets["alone"]) - begun) / turns)
    finally:
        await owner.close()
    return measured


async def _turn_seconds(owner: asyncpg.Connection[asyncpg.Record], target: Target) -> float:
    return await database_seconds(owner) + cpu_seconds(target.pid)


def _words(number: int) -> list[str]:
    # Of one length, so that pieces of the arguments are as long as deltas of text.
    return [f"{n:06} " for n in range(number)]


def _load(target: Target, script: Mapping[str, object], streams: int, tools: Sequence[options_pb2.Tool] = ()) -> Load:
    text = f"#script {json.dumps(script)}"
    return Load(target.address, target.key, MODEL, text, streams, one_by_one=False, seconds=None, tools=tuple(tools))


def _image(number: int) -> messages_pb2.Part:
    """Returns an image of its own for each number, which is stored once."""
    rows = b"".join(b"\0" + bytes([number, row, 0]) * 64 for row in range(64))
    head = struct.pack(">IIBBBBB", 64, 64, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    data = b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    return messages_pb2.Part(image=parts_pb2.ImagePart(data=b"\x89PNG\r\n\x1a\n" + data))
