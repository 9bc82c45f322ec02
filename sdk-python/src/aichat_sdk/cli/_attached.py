"""Reads the files that the command line names."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from aichat_sdk.content import Audio, Document, Image
from aichat_sdk.errors import InvalidRequestError

Attached = Image | Document | Audio


def attached(path: str) -> Attached:
    """Returns a file as its first bytes show it: an image, sound, or else a document.

    Raises InvalidRequestError if it cannot be sent.
    """
    try:
        # Checked before it is read: a pipe would block.
        Document.from_path(path)
        with Path(path).open("rb") as file:
            return _kind(file.read(12)).from_path(path)
    except (OSError, ValueError) as error:
        raise InvalidRequestError(str(error)) from error


def piped() -> Attached:
    """Returns standard input as a file; raises InvalidRequestError if it cannot be sent."""
    data = b"" if sys.stdin is None else sys.stdin.buffer.read(Document.most_bytes + 1)
    try:
        return _kind(data).from_bytes(data)
    except ValueError as error:
        raise InvalidRequestError(f"standard input: {error}") from error


def schema(path: str) -> dict[str, Any]:
    """Returns the JSON Schema in a file; raises InvalidRequestError if there is none."""
    try:
        read = json.loads(Path(path).read_text())
    except (OSError, ValueError) as error:
        raise InvalidRequestError(f"{path}: {error}") from error
    if not isinstance(read, dict):
        raise InvalidRequestError(f"{path} holds no JSON object")
    return read


def _kind(start: bytes) -> type[Attached]:
    riff = start[8:12] if start[:4] == b"RIFF" else b""
    if start.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8")) or riff == b"WEBP":
        return Image
    if start.startswith((b"ID3", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")) or riff == b"WAVE":
        return Audio
    return Document
