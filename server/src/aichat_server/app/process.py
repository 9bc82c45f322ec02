"""A server process: from its start to the end of its drain."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable

import structlog

from aichat_server.app.deadline import stop_within
from aichat_server.app.server import App, build
from aichat_server.app.telemetry import open_telemetry
from aichat_server.settings import Settings, SettingsError
from aichat_server.telemetry.observing import Observer

_log = structlog.get_logger()

# A collection examines young objects, and a tick of hundreds of streams creates thousands of objects that die at once.
# Python's own 700 would cost a twentieth of the core.
_YOUNG_OBJECTS = 10_000


async def serve(settings: Settings, *, until_stdin_ends: bool = False) -> int:
    """Serves on the first address of the settings until SIGTERM or SIGINT, then drains; returns the exit code."""
    metrics_address = next(iter(settings.metrics_listen), None)
    with open_telemetry(settings, "aichat-server", metrics_address) as observer:
        return await _serve(settings, observer, until_stdin_ends=until_stdin_ends)


async def _serve(settings: Settings, observer: Observer, *, until_stdin_ends: bool) -> int:
    stopping, stop = stop_within(settings.announce_seconds + settings.drain_seconds)
    if until_stdin_ends:
        await asyncio.get_running_loop().connect_read_pipe(lambda: _Lifeline(stop), sys.stdin)
    async with build(settings, observer) as app:
        port = await _listen(app, settings.listen[0])
        # Objects of the start-up stay; collections need not examine them repeatedly.
        gc.collect()
        gc.freeze()
        gc.set_threshold(_YOUNG_OBJECTS)
        _log.info("serving", address=settings.listen[0], port=port)
        await stopping.wait()
        _log.info("draining", announce_seconds=settings.announce_seconds, seconds=settings.drain_seconds)
        await app.stop()
    return 0


async def _listen(app: App, address: str) -> int:
    try:
        return await app.server.start(address)
    except RuntimeError:
        message = f"AICHAT_LISTEN: {address} is taken, or is no address of this machine"
        raise SettingsError(message) from None


class _Lifeline(asyncio.Protocol):
    """Standard input, held open by the process that spawned this one: its end means that this process must end, too."""

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 — however it was lost
        self._stop()
