"""Messages as JSON, as the platform's HTTP interface has them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import betterproto2

Part = betterproto2.Message | Sequence[betterproto2.Message]


def document(parts: Mapping[str, Part]) -> str:
    """One JSON object of messages and lists of messages. It is ASCII, so that no terminal or pipe changes it."""
    return json.dumps({name: _value(part) for name, part in parts.items()}, indent=2)


def _value(part: Part) -> object:
    if isinstance(part, betterproto2.Message):
        # Names as they are: betterproto2's own snake case makes another name of cache_write_1h_tokens.
        return _present(part.to_dict(casing=str, include_default_values=True))  # type: ignore[arg-type]
    return [_value(message) for message in part]


def _present(value: Any) -> Any:
    """The value without what is absent."""
    if isinstance(value, dict):
        return {name: _present(inner) for name, inner in value.items() if inner is not None}
    return [_present(inner) for inner in value] if isinstance(value, list) else value
