"""Formats messages as JSON, as the platform's HTTP interface does."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import betterproto2

from aichat_sdk.errors import AIChatError

Part = betterproto2.Message | Sequence[betterproto2.Message]


def document(parts: Mapping[str, Part]) -> str:
    """Returns messages and lists of them as one JSON object on one line, in ASCII: no terminal or pipe changes it."""
    return json.dumps({name: _value(part) for name, part in parts.items()})


def fields(message: betterproto2.Message) -> str:
    """Returns one JSON object of a message's own fields, on one line."""
    return json.dumps(_value(message))


def failure(error: Exception) -> str:
    """Returns an error as one JSON object on one line."""
    told: dict[str, object] = {"kind": type(error).__name__, "message": str(error)}
    if isinstance(error, AIChatError):
        names = ("reason", "status", "metadata", "retry_after", "generation_id", "conversation_id", "request_id")
        told |= {name: getattr(error, name) for name in names}
        told["violations"] = [{"field": one.field, "description": one.description} for one in error.violations]
    return json.dumps({"error": {name: value for name, value in told.items() if value not in (None, {}, [])}})


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
