"""A vendor that costs little: it sends the same delta to each of its streams every 20 ms, as OpenAI would.

The stand-in of the sandbox speaks all protocols and follows scripts, and a core of it feeds a hundred streams. This
one feeds several hundred and leaves time for the load. Its streams take turns within the 20 ms, as strangers' do.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import signal
from itertools import count
from pathlib import Path
from typing import cast

import uvloop

INTERVAL_SECONDS = 0.02
WORD = "word "
_SLOTS = 20
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_WORDS = re.compile(rb'\\"words\\": *(\d+)')


def _frame(data: bytes) -> bytes:
    block = b"data: " + data + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(block), block)


def _chunk(delta: dict[str, str], finish: str | None = None, **more: object) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    head = {
        "id": "chatcmpl-bench", "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "gpt-6-luna",
        "service_tier": "default", "system_fingerprint": "fp_bench",
    }  # fmt: skip
    return _frame(json.dumps({**head, "choices": [choice], "usage": None, **more}, separators=(",", ":")).encode())


_OPENING = _HEAD + _chunk({"role": "assistant", "content": ""})
_DELTA = _chunk({"content": WORD})
_CLOSING = (
    _chunk({}, "stop", usage={"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20})
    + _frame(b"[DONE]")
    + b"0\r\n\r\n"
)


class _Stream(asyncio.Protocol):
    """One connection; one answer after the other."""

    def __init__(self, slots: list[set[_Stream]], number: int) -> None:
        self._slot = slots[number % _SLOTS]
        self._received = b""
        self._left = 0
        self.transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not found or length is None or len(body) < int(length[1]):
            return
        self._received = b""
        words = _WORDS.search(body)
        self._left = int(words[1]) if words else 1
        self.transport.write(_OPENING)
        self._slot.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - however it was lost
        self._slot.discard(self)

    def tick(self) -> None:
        """Sends the next delta, or the end after the last one."""
        self._left -= 1
        self.transport.write(_DELTA if self._left >= 0 else _CLOSING)
        if self._left < 0:
            self._slot.discard(self)


async def serve(port_file: Path) -> None:
    """Serves until SIGTERM."""
    loop = asyncio.get_running_loop()
    stopped = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    slots: list[set[_Stream]] = [set() for _ in range(_SLOTS)]
    numbers = count()
    server = await loop.create_server(lambda: _Stream(slots, next(numbers)), "127.0.0.1", 0, backlog=1024)
    await asyncio.to_thread(port_file.write_text, str(server.sockets[0].getsockname()[1]))
    began = loop.time()

    def tick(number: int) -> None:
        for stream in tuple(slots[number % _SLOTS]):
            stream.tick()
        loop.call_at(began + (number + 1) * INTERVAL_SECONDS / _SLOTS, tick, number + 1)

    tick(0)
    await stopped.wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port-file", type=Path, required=True)
    uvloop.run(serve(parser.parse_args().port_file))
