"""Makes a value that a JSON Schema allows, as a model would write it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

DEEPEST = 8
"""Schemas may refer to themselves: from this depth on, only what they require is made."""
FORMATS = {
    "date": "2026-01-01",
    "date-time": "2026-01-01T00:00:00Z",
    "email": "someone@example.com",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def value_of(schema: object, name: str = "text") -> Any:
    """Returns a value that `schema` allows; a string says `name`, which is its property's."""
    return _value(schema, name, schema, 0)


def _value(schema: object, name: str, root: object, depth: int) -> Any:
    told = _resolved(schema, root)
    for given in ("const", "default"):
        if given in told:
            return told[given]
    if told.get("enum"):
        return told["enum"][0]
    for choices in ("anyOf", "oneOf", "allOf"):
        if told.get(choices):
            return _value(told[choices][0], name, root, depth + 1)
    return _typed(told, name, root, depth)


def _typed(told: Mapping[str, Any], name: str, root: object, depth: int) -> Any:
    kind = told.get("type", "object" if "properties" in told else "string")
    match kind[0] if isinstance(kind, list) else kind:
        case "object":
            named = told.get("properties", {})
            wanted = named if depth < DEEPEST else told.get("required", ())
            return {key: _value(named.get(key, {}), key, root, depth + 1) for key in wanted}
        case "array":
            length = max(told.get("minItems", 0), 1 if depth < DEEPEST else 0)
            return [_value(told.get("items", {}), name, root, depth + 1) for _ in range(length)]
        case "integer" | "number":
            return told.get("minimum", told.get("exclusiveMinimum", 0) + 1)
        case "boolean":
            return True
        case "null":
            return None
        case _:
            return _text(told, name)


def _text(told: Mapping[str, Any], name: str) -> str:
    text = FORMATS.get(told.get("format", ""), name)
    return text.ljust(told.get("minLength", 0), "x")[: told.get("maxLength")]


def _resolved(schema: object, root: object) -> Mapping[str, Any]:
    """Follows a reference inside the schema."""
    told = schema if isinstance(schema, Mapping) else {}
    while isinstance(reference := told.get("$ref"), str):
        found: Any = root
        for step in reference.removeprefix("#").strip("/").split("/"):
            found = found[step] if step else found
        if found is told:
            raise ValueError(f"the schema refers to itself: {reference}")
        told = found
    return told
