"""Stores a message's content: a JSON list of parts, each with its type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from aichat_server.content.parts import Part, Role, TextPart, text_of
from aichat_server.core.texts import storable

# The range of integers that the encoder accepts.
_LEAST, _MOST = -(2**63), 2**64 - 1
# A NUL character in JSON.
_NUL = b"\\u0000"


def encode_parts(parts: Iterable[Part]) -> str:
    """Returns `parts` as stored JSON."""
    return encode_json(list(parts))


def content_value(parts: Sequence[Part], role: Role) -> dict[str, msgspec.Raw | None]:
    """Returns what the database stores of a message: `parts`, its text alone, and `content`, all of it.

    Servers of the version before read the text alone. `content` is None if it would be the same.
    """
    if is_text_alone(parts, role):
        return {"parts": _raw(parts), "content": None}
    return {"parts": _raw(text_alone(parts, role)), "content": _raw(parts)}


def _raw(parts: Iterable[Part]) -> msgspec.Raw:
    return msgspec.Raw(encode_parts(parts).encode())


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
    if isinstance(value, msgspec.Struct):
        return _storable(msgspec.to_builtins(value))
    if isinstance(value, int) and not _LEAST <= value <= _MOST:
        return str(value)
    return value


def text_alone(parts: Iterable[Part], role: Role) -> tuple[TextPart, ...]:
    """Returns the text of a message for servers that know text alone."""
    text = text_of(parts, role)
    return (TextPart(text),) if text else ()


def is_text_alone(parts: Sequence[Part], role: Role) -> bool:
    """Whether servers that know text alone can read `parts` as they are.

    They ignore what else a text has, and take two texts for two paragraphs.
    """
    return all(isinstance(part, TextPart) for part in parts) and (role is Role.USER or len(parts) <= 1)
