"""The benchmark works: a small `make bench`, part by part."""

import asyncio
import sys

import pytest

CHAT = [
    "",
    "bare relay (grpc.aio + raw HTTP)",
    "typed SDK loop",
    "this server, uncoalesced",
    "this server, coalesced",
    "the same without Redis",
    "one turn",
    "database round trips",
    "database CPU, relative to a turn that is not booked",
    "memory per open turn",
    "CPU per delta of arguments, relative to text",
    "CPU of a turn with ten images, relative to text",
    "turn 20 of a conversation of 50,000 tokens with Claude",
    "without the vendor's cache",
    "with it",
    "with it, relative to without",
    "100 vectors of 1536 numbers",
    "bare relay (grpc.aio + raw HTTP)",
    "this server",
    "this server, by OpenAI's API",
]
PARTS = {
    "chat": CHAT,
    "compat": [
        "APIs of other companies",
        "native RPC, a model of OpenAI's",
        "Chat Completions, as sent",
        "Responses, as sent",
        "Messages, converted",
        "native RPC, Claude",
        "Messages, as sent",
        "Chat Completions, converted",
        "Responses, converted",
        "first delta of 49 KB and 12 tools, added, relative to a small call's",
    ],
    "paced": [
        "deltas 20 ms apart",
        "bare relay (grpc.aio + raw HTTP)",
        "bare relay that reads by tick",
        "this server",
    ],
    "rollups": [
        "5,000 usage events of 1,000 organisations, by the hour",
        "bare INSERT … SELECT … GROUP BY, by the superuser",
        "the job, under row-level security",
        "rows that a second run changes",
    ],
    "invoices": ["a month's invoices of 20 organisations", "made from the ledger", "checked again"],
    "files": ["a document of 20 MiB", "in a message (gRPC)", "as an upload (gRPC)"],
}
# They are there where LiteLLM is installed.
LITELLM = ("| LiteLLM's proxy", "| the same by its Rust path")


@pytest.mark.parametrize("part", PARTS)
async def test_the_benchmark_prints_its_tables(part: str) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks", "--quick", part, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    lines = printed.decode().splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith(LITELLM)]
    assert [row.split("|")[1].strip() for row in rows] == PARTS[part]
    for row in rows:
        if "a second run" in row:
            assert row.split("|")[2].strip() == "none"
        if "round trips" in row:
            assert "exactly 2.0: met" in row
        if "with it, relative" in row:
            assert "met" in row
