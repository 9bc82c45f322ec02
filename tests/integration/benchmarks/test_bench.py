"""The benchmark works: a small `make bench`."""

import asyncio
import sys

ROWS = [
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
    "deltas 20 ms apart",
    "bare relay (grpc.aio + raw HTTP)",
    "bare relay that reads by tick",
    "this server",
    "5,000 usage events of 1,000 organisations, by the hour",
    "bare INSERT … SELECT … GROUP BY, by the superuser",
    "the job, under row-level security",
    "rows that a second run changes",
    "a month's invoices of 20 organisations",
    "made from the ledger",
    "checked again",
    "a document of 20 MiB",
    "in a message (gRPC)",
    "as an upload (gRPC)",
]


async def test_the_benchmark_prints_its_tables() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks", "--quick", stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    rows = [line for line in printed.decode().splitlines() if line.startswith("| ")]
    assert [row.split("|")[1].strip() for row in rows] == ROWS
    [changed] = [row for row in rows if "a second run" in row]
    assert changed.split("|")[2].strip() == "none"
    [trips] = [row for row in rows if "round trips" in row]
    assert "exactly 2.0: met" in trips
    [cached] = [row for row in rows if "with it, relative" in row]
    assert "met" in cached
