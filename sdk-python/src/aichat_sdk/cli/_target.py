"""Finds the platform to talk to."""

from __future__ import annotations

import json
import os
from pathlib import Path

from aichat_sdk.client import AsyncAIChat
from aichat_sdk.errors import ConfigurationError

ENDPOINTS = Path(".sandbox", "endpoints.json")


def connect(endpoint: str | None, api_key: str | None) -> AsyncAIChat:
    """Returns a client for the endpoint in the arguments or the environment, or else for a sandbox that `make run`
    started.

    It looks for the sandbox in this directory and those above. A key from the environment is sent only to an endpoint
    that the user named: a file in some directory must not be able to collect the key.
    """
    endpoint = endpoint or os.environ.get("AICHAT_ENDPOINT")
    sandbox = None if endpoint else _sandbox()
    if sandbox is None:
        return AsyncAIChat(endpoint=endpoint, api_key=api_key)
    try:
        found = json.loads(sandbox.read_text())
        address, key = found["grpc"], found["api_key"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{sandbox} is not a file that `make run` wrote: start it again") from error
    return AsyncAIChat(endpoint=address, api_key=api_key or key)


def _sandbox() -> Path | None:
    here = Path.cwd()
    return next((path for folder in (here, *here.parents) if (path := folder / ENDPOINTS).is_file()), None)
