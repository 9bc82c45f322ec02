"""`make env`: prints what programs need to reach the running platform, as lines for a shell."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
import time
import uuid
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession

from .state import ENDPOINTS

TOKEN_SECONDS = 86_400
# The same user each time, so that her conversations are still there.
DEVELOPER = {"sub": str(uuid.uuid5(uuid.NAMESPACE_DNS, "developer.example.com")), "email": "developer@example.com"}


def env(folder: Path) -> int:
    """Prints `export` lines; returns 1, and prints nothing to standard output, if no platform runs here."""
    try:
        endpoints = json.loads((folder / ENDPOINTS).read_text())
        token = asyncio.run(_token(endpoints["auth_url"])) if endpoints["auth_is_stand_in"] else None
    except (OSError, ClientError):
        sys.stderr.write("no platform runs here: `make run` starts one\n")
        return 1
    variables = {
        "AICHAT_ENDPOINT": endpoints["grpc"],
        "AICHAT_API_KEY": endpoints["api_key"],
        "AICHAT_AUTH_URL": endpoints["auth_url"],
    }
    if token is None:
        sys.stderr.write(f"users sign in at {endpoints['auth_url']}, which issues session tokens\n")
    else:
        variables["AICHAT_SESSION_TOKEN"] = token
    for name, value in variables.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    return 0


async def _token(auth_url: str) -> str:
    """Returns a session token, valid for a day."""
    claims: dict[str, Any] = DEVELOPER | {"exp": int(time.time()) + TOKEN_SECONDS}
    async with ClientSession() as client, client.post(f"{auth_url}/_mint", json=claims) as response:
        response.raise_for_status()
        return str((await response.json())["token"])
