"""Stores a message's content: a JSON list of parts, each with its type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import assert_never

import msgspec

from aichat_server.content.parts import Part, TextPart
from aichat_server.core.texts import storable

# The range of integers that the encoder accepts.
_LEAST, _MOST = -(2**63), 2**64 - 1
# A NUL character in JSON.
_NUL = b"\\u0000"


class StoredText(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """A piece of text, as stored."""

    text: str


def encode_parts(parts: Iterable[Part]) -> str:
    """Returns `parts` as stored JSON."""
    return msgspec.json.encode(to_stored(parts)).decode()


def encode_json(value: object) -> str:
    """Returns any value that JSON can express as JSON text that Postgres accepts, whatever its source."""
    try:
        # Values that need no change are the rule, and this sees it while it encodes.
        encoded = msgspec.json.encode(value)
    except (TypeError, ValueError, OverflowError):
        encoded = b""
    if not encoded or _NUL in encoded:
        encoded = msgspec.json.encode(_storable(value))
    return encoded.decode()


def _storable(value: object) -> object:
    if isinstance(value, str):
        return storable(value)
    if isinstance(value, Mapping):
        return {storable(str(name)): _storable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_storable(inner) for inner in value]
    if isinstance(value, int) and not _LEAST <= value <= _MOST:
        return str(value)
    return value


def to_stored(parts: Iterable[Part]) -> list[StoredText]:
    """Converts the domain's parts to their stored form."""
    return [_stored(part) for part in parts]


def to_parts(stored: Iterable[StoredText]) -> tuple[Part, ...]:
    """Converts stored parts to the domain's."""
    return tuple(TextPart(part.text) for part in stored)


def _stored(part: Part) -> StoredText:
    match part:
        case TextPart(text):
            return StoredText(storable(text))
        case _:
            assert_never(part)
