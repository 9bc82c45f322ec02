"""Remembers the last answer at each endpoint, for `aichat chat -c`, `aichat cancel` and `aichat resume`."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from aichat_sdk.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Last:
    """The last answer that this user's `aichat chat` began."""

    generation_id: str
    conversation_id: str
    model: str


def remember(endpoint: str, last: Last) -> None:
    """Keeps it. Where nothing can be written, nothing is remembered."""
    with suppress(OSError, RuntimeError):  # RuntimeError: this user has no home
        path = _path()
        path.parent.mkdir(parents=True, exist_ok=True)
        # Another process reads the old file or the new one, never half of one.
        with NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(_read() | {endpoint: asdict(last)}, file)
        Path(file.name).replace(path)


def recall(endpoint: str) -> Last:
    """Returns the last answer; raises NotFoundError if none is remembered."""
    found = _read().get(endpoint)
    with suppress(TypeError):  # another version wrote other fields
        if isinstance(found, dict):
            return Last(**found)
    raise NotFoundError(f"there is no earlier answer of {endpoint}: `aichat chat` begins a conversation")


def _read() -> dict[str, Any]:
    try:
        found = json.loads(_path().read_text())
    except (OSError, ValueError, RuntimeError):
        return {}
    return found if isinstance(found, dict) else {}


def _path() -> Path:
    folder = os.environ.get("XDG_STATE_HOME")
    return Path(folder or Path.home() / ".local/state", "aichat/last.json")
