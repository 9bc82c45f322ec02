"""JSON Schemas as Claude takes them for its answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

FORMATS = frozenset(
    ("date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid")
)  # fmt: skip
UNTAKEN = (
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength", "maxItems",
    "uniqueItems", "minProperties", "maxProperties",
)  # fmt: skip
"""Keywords that Claude refuses. The model reads them in the description, and the answer is checked as a whole."""
_ONE, _LISTS, _NAMED = ("items", "not"), ("anyOf", "oneOf", "allOf"), ("properties", "$defs", "definitions")


def accepted(schema: Any) -> Any:
    """Returns the schema without what Claude refuses, and with what it demands: objects without unnamed properties."""
    if not isinstance(schema, Mapping):
        return schema
    told = {**schema}
    described = {name: told.pop(name) for name in UNTAKEN if name in told}
    if told.get("format", "date") not in FORMATS:
        described["format"] = told.pop("format")
    if isinstance(told.get("minItems"), int) and told["minItems"] > 1:
        described["minItems"] = told.pop("minItems")
    if "oneOf" in told and "anyOf" not in told:
        told["anyOf"] = told.pop("oneOf")
    if _is_object(told) and told.get("additionalProperties", True) is True:
        told["additionalProperties"] = False
    if described:
        text = json.dumps(described, ensure_ascii=False)
        told["description"] = f"{told['description']} {text}" if told.get("description") else text
    _inside(told, accepted)
    return told


def is_any_object(schema: Mapping[str, Any]) -> bool:
    """Whether a schema of an object says nothing about what is in it."""
    about = {"type", "title", "description", "additionalProperties", "$schema"}
    return schema.keys() <= about and schema.get("additionalProperties", True) is True


def _is_object(schema: Mapping[str, Any]) -> bool:
    kind = schema.get("type")
    return kind == "object" or (isinstance(kind, list) and "object" in kind) or "properties" in schema


def _inside(told: dict[str, Any], change: Callable[[Any], Any]) -> None:
    """Changes all schemas inside `told`."""
    for name in _ONE:
        if name in told:
            told[name] = change(told[name])
    for name in _LISTS:
        if isinstance(told.get(name), list):
            told[name] = [change(one) for one in told[name]]
    for name in _NAMED:
        if isinstance(told.get(name), Mapping):
            told[name] = {key: change(one) for key, one in told[name].items()}
