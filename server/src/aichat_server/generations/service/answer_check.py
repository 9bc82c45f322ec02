"""Checks whole answers against the schemas of their requests, without blocking the event loop.

Checking holds the interpreter's lock, and what takes long is done by a process of its own: this module as a command,
which reads the schema and the answer as a JSON list from its input, and writes the fault as JSON to its output.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys

import msgspec

from aichat_server.providers.domain.schemas import AnswerSchema, answer_schema

MOST_STEPS_HERE = 10_000_000
"""The bytes of an answer times the values of its schema: about 20 ms of work."""
_MOST_SECONDS = 20.0
_TOO_LONG = f"checking it takes longer than {_MOST_SECONDS:.0f} s"


async def fault_of(schema: AnswerSchema, answer: str) -> str | None:
    """Returns where an answer does not follow the schema; None if it does."""
    if len(answer) * schema.nodes <= MOST_STEPS_HERE:
        return schema.fault(answer)
    return await asyncio.to_thread(_fault_from_process, schema, answer)


def _fault_from_process(schema: AnswerSchema, answer: str) -> str | None:
    """Raises CalledProcessError if the process fails."""
    command = (sys.executable, "-m", __name__)
    told = msgspec.json.encode((schema.text, answer))
    try:
        done = subprocess.run(command, input=told, capture_output=True, check=True, timeout=_MOST_SECONDS)
    except subprocess.TimeoutExpired:
        return _TOO_LONG
    return msgspec.json.decode(done.stdout, type=str | None)


def main() -> None:
    """Checks one answer."""
    schema, answer = msgspec.json.decode(sys.stdin.buffer.read(), type=tuple[str, str])
    sys.stdout.buffer.write(msgspec.json.encode(answer_schema(schema).fault(answer)))


if __name__ == "__main__":
    main()
