"""How a message's content is stored: a JSON list of parts, each with its type."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from aichat_server.domain.conversations import Part, TextPart


class StoredText(msgspec.Struct, frozen=True, tag_field="type", tag="text"):
    """A piece of text, as stored."""

    text: str


def encode_parts(parts: Iterable[Part]) -> str:
    """`parts` as the JSON that is stored."""
    return encode_json([StoredText(part.text) for part in parts])


def encode_json(value: object) -> str:
    """`value` as JSON text."""
    return msgspec.json.encode(value).decode()


def to_parts(stored: Iterable[StoredText]) -> tuple[Part, ...]:
    """Stored parts as the domain knows them."""
    return tuple(TextPart(part.text) for part in stored)
