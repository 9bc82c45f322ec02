"""Files in the sandbox's folder that other programs read."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from .platform import Platform

ENDPOINTS = "endpoints.json"


class AlreadyRunningError(Exception):
    """Another run uses the folder."""


@contextmanager
def exclusive(folder: Path) -> Generator[None, None, None]:
    """Locks the folder, and creates it if needed; raises AlreadyRunningError if another process holds the lock."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a") as lock:
        try:
            # The kernel releases the lock when this process ends, however it ends.
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise AlreadyRunningError(f"the platform already runs here: {folder / ENDPOINTS} says where") from None
        # A killed run may have left it.
        (folder / ENDPOINTS).unlink(missing_ok=True)
        yield


@contextmanager
def announced(folder: Path, platform: Platform, auth_url: str | None) -> Generator[None, None, None]:
    """Writes `endpoints.json` atomically, readable by this user only; removes it at the end.

    `auth_url`: where users really sign in; None if the stand-in replaces that service.
    """
    file = folder / ENDPOINTS
    fresh = folder / "endpoints.json.new"
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        json.dump(
            {
                "grpc": platform.grpc,
                "http": platform.http,
                "api_key": platform.key["api_key"],
                "auth_url": auth_url or platform.auth_url,
                "auth_is_stand_in": not auth_url,
                "database_url": platform.database_url,
                "redis_url": platform.redis_url,
                "pids": platform.supervisor.pids,
            },
            stream,
            indent=2,
        )
    fresh.replace(file)
    try:
        yield
    finally:
        file.unlink(missing_ok=True)
