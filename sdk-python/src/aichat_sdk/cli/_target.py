"""Finds the platform to talk to."""

from __future__ import annotations

import json
import os
from pathlib import Path

from aichat_sdk.client import AsyncAIChat
from aichat_sdk.errors import ConfigurationError

ENDPOINTS = Path(".sandbox", "endpoints.json")


def connect(endpoint: str | None, api_key: str | None) -> AsyncAIChat:
    """A client for what the arguments or the environment name, or else for what `make run` started here or above.

    A key from the environment goes nowhere but to an endpoint that was named: a file that happens to lie in a
    directory must not be able to collect it.
    """
    endpoint = endpoint or os.environ.get("AICHAT_ENDPOINT")
    sandbox = None if endpoint else _sandbox()
    if sandbox is None:
        return AsyncAIChat(endpoint=endpoint, api_key=api_key)
    try:
        found = json.loads(sandbox.read_text())
        return AsyncAIChat(endpoint=found["grpc"], api_key=api_key or found["api_key"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{sandbox} is not what `make run` writes: start it again") from error


def _sandbox() -> Path | None:
    here = Path.cwd()
    return next((path for folder in (here, *here.parents) if (path := folder / ENDPOINTS).is_file()), None)
