"""Runs Envoy and drains it before it stops: `python envoy/serve.py [ENVOY'S OPTIONS]`.

Envoy itself ends at once on SIGTERM and breaks every stream. So this process handles the signal: `/healthz` fails, so
that load balancers choose another edge; clients are asked to reconnect elsewhere; and Envoy ends when no calls are
open, or at the end of the grace period.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

# As a script, this module finds the others in its own folder.
from render import EdgeSettingsError, read, render

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.2
# A connection that is idle for this long is ready to close: its last response asked the client to close it.
_QUIET_SECONDS = 3.0
_ADMIN_SECONDS = 2.0
_ACTIVE = "^http.edge.downstream_.._active$"
_KILL_SECONDS = 5.0


def main() -> int:
    """Serves until SIGTERM or SIGINT; returns Envoy's exit code, or 2 for invalid settings."""
    try:
        rendered, admin = render(os.environ), Admin(read(os.environ))
    except EdgeSettingsError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    with tempfile.TemporaryDirectory(prefix="aichat-edge-") as folder:
        config = Path(folder, "envoy.yaml")
        config.write_text(rendered)
        return asyncio.run(_serve(["--config-path", str(config), *sys.argv[1:]], admin))


class Admin:
    """Envoy's admin interface, and the time limits of a drain."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        where = settings["admin"]["socket_address"]
        self._url = f"http://{where['address']}:{where['port_value']}"
        self.announce_seconds: float = settings["announce_seconds"]
        self.drain_seconds: float = settings["drain_seconds"]

    async def send(self, path: str) -> None:
        """Sends Envoy a command."""
        await asyncio.to_thread(self._send, "POST", path)

    async def gauges(self) -> tuple[int, int]:
        """Returns the number of open calls and of open connections."""
        stats = await asyncio.to_thread(self._send, "GET", f"/stats?format=json&filter={_ACTIVE}")
        found = {stat["name"].rpartition(".")[2]: stat["value"] for stat in json.loads(stats)["stats"]}
        return found["downstream_rq_active"], found["downstream_cx_active"]

    def _send(self, method: str, path: str) -> bytes:
        request = urllib.request.Request(self._url + path, method=method)  # noqa: S310 — our own address
        with urllib.request.urlopen(request, timeout=_ADMIN_SECONDS) as response:  # noqa: S310
            body: bytes = response.read()
            return body


async def _serve(options: Sequence[str], admin: Admin) -> int:
    stopping = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    envoy = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("envoy")),
        *options,
        "--disable-hot-restart",
        preexec_fn=_end_with_parent,
    )
    ended, signalled = asyncio.create_task(envoy.wait()), asyncio.create_task(stopping.wait())
    await asyncio.wait({ended, signalled}, return_when=asyncio.FIRST_COMPLETED)
    signalled.cancel()
    if not ended.done():
        drained = asyncio.create_task(_drain(admin))
        await asyncio.wait({ended, drained}, return_when=asyncio.FIRST_COMPLETED)
        drained.cancel()
    if not ended.done():
        envoy.terminate()
        await asyncio.wait({ended}, timeout=_KILL_SECONDS)
    if not ended.done():
        envoy.kill()
    return await ended


async def _drain(admin: Admin) -> None:
    """Returns when no calls are open, or when the grace period is over."""
    try:
        # From here on each response closes its connection, or asks the client to send no further calls on it.
        await admin.send("/healthcheck/fail")
        await asyncio.sleep(admin.announce_seconds)
        await admin.send("/drain_listeners")
        async with asyncio.timeout(admin.drain_seconds):
            await _until_quiet(admin)
    except TimeoutError:
        sys.stderr.write("the edge's grace period is over; open calls are cut off\n")
    except (OSError, ValueError, KeyError) as error:
        sys.stderr.write(f"the edge cannot be drained: {error}\n")


async def _until_quiet(admin: Admin) -> None:
    quiet = 0.0
    while quiet < _QUIET_SECONDS:
        calls, connections = await admin.gauges()
        if not connections:
            return
        await asyncio.sleep(_POLL_SECONDS)
        quiet = 0.0 if calls else quiet + _POLL_SECONDS


def _end_with_parent() -> None:
    """Runs in Envoy's process before Envoy starts: makes it end when this process is killed. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main())
