"""Formats messages as JSON, as the platform's HTTP interface does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import betterproto2

Part = betterproto2.Message | Sequence[betterproto2.Message]


def document(parts: Mapping[str, Part]) -> str:
    """Returns one JSON object of messages and lists of messages, in ASCII so that no terminal or pipe changes it."""
    return json.dumps({name: _value(part) for name, part in parts.items()}, indent=2)


def fields(message: betterproto2.Message) -> str:
    """Returns one JSON object of a message's own fields."""
    return json.dumps(_value(message), indent=2)


def _value(part: Part) -> object:
    if isinstance(part, betterproto2.Message):
        # Names stay unchanged: betterproto2's snake case would rename cache_write_1h_tokens.
        return _present(part.to_dict(casing=str, include_default_values=True))  # type: ignore[arg-type]
    return [_value(message) for message in part]


def _present(value: Any) -> Any:
    """Returns the value without absent fields."""
    if isinstance(value, dict):
        return {name: _present(inner) for name, inner in value.items() if inner is not None}
    return [_present(inner) for inner in value] if isinstance(value, list) else value
