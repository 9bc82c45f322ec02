"""`python -m benchmarks.probed FILE`: a server that tells how long its event loop stopped.

At SIGUSR1 it writes to FILE, as JSON, for the longest stop since the last signal: its seconds, and the seconds of CPU
that the loop's thread used meanwhile. The rest is time in which other threads or processes ran.
"""

from __future__ import annotations

import asyncio
import json
import signal
import sys
import time
from pathlib import Path

import uvloop
from aichat_server.app.process import serve
from aichat_server.settings import load_settings

_EVERY_SECONDS = 0.001


class _Probe:
    """Looks how late a timer is."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._longest = self._most_cpu = 0.0

    async def run(self) -> None:
        """Looks all the time."""
        while True:
            began, used = time.perf_counter(), time.thread_time()
            await asyncio.sleep(_EVERY_SECONDS)
            self._longest = max(self._longest, time.perf_counter() - began - _EVERY_SECONDS)
            self._most_cpu = max(self._most_cpu, time.thread_time() - used)

    def tell(self) -> None:
        """Writes what was seen, and begins again."""
        made = self._file.with_suffix(".new")
        made.write_text(json.dumps([self._longest, self._most_cpu]))
        made.rename(self._file)
        self._longest = self._most_cpu = 0.0


async def main(file: Path) -> int:
    """Serves until SIGTERM."""
    probe = _Probe(file)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, probe.tell)
    running = asyncio.create_task(probe.run())
    try:
        return await serve(load_settings())
    finally:
        running.cancel()


if __name__ == "__main__":
    sys.exit(uvloop.run(main(Path(sys.argv[1]))))
