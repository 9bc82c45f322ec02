"""JSON Schemas that callers send. What is too large, recurses or leads elsewhere is refused before it is compiled.

Compiling and checking hold the interpreter's lock, and work through what references lead to once for each reference. So
a schema is counted with each reference replaced by what it leads to.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple
from urllib.parse import unquote

import jsonschema_rs
import msgspec

MOST_LEVELS = 16
"""The most schemas inside one another."""
MOST_NODES = 4096
"""The most values of a schema."""

_REFERENCES = frozenset({"$ref", "$dynamicRef", "$recursiveRef"})
_NAMED = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas"})
"""The keywords whose value is no schema, but has schemas by names."""
_PATTERN_NODES = 64
"""A pattern takes as long to compile as this many other values."""
_PATTERN_BYTES = 1 << 17
"""The most memory of a compiled pattern."""
# Linear in the text, unlike patterns that look around or back.
_LINEAR = jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES)
_ANY = jsonschema_rs.FancyRegexOptions(size_limit=_PATTERN_BYTES, dfa_size_limit=_PATTERN_BYTES)
_LARGER = 4
"""Patterns of known clients count hundreds of any characters: they take as much as several others."""
_LARGE = jsonschema_rs.FancyRegexOptions(size_limit=_LARGER * _PATTERN_BYTES, dfa_size_limit=_LARGER * _PATTERN_BYTES)


class SchemaError(ValueError):
    """What is wrong with a schema, as a text that follows the name of its field."""


@dataclass(frozen=True, slots=True)
class AnswerSchema:
    """A schema that answers are checked against."""

    text: str
    nodes: int
    """How many values it has, each reference replaced by what it leads to."""
    _validator: jsonschema_rs.Validator

    def fault(self, answer: str) -> str | None:
        """Returns where an answer does not follow the schema; None if it does. It never has the answer's words."""
        try:
            value = msgspec.json.decode(answer)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return "it is not JSON"
        try:
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            broken = "/".join(map(str, error.schema_path))
            return f"a value {len(error.instance_path)} levels deep breaks the schema's rule #/{broken}"
        return None


def answer_schema(text: str) -> AnswerSchema:
    """Compiles the schema of an answer. Raises SchemaError."""
    schema, nodes = _read(text)
    return AnswerSchema(text, nodes, _compiled(schema, _LINEAR))


def check_parameters(text: str) -> int:
    """Returns how many values the schema of a tool's arguments has, or is as good as. Raises SchemaError."""
    schema, nodes = _read(text)
    try:
        _compiled(schema, _ANY)
    except SchemaError:
        if _LARGER * nodes > MOST_NODES:
            raise
        _compiled(schema, _LARGE)
        return _LARGER * nodes
    return nodes


def _read(text: str) -> tuple[dict[str, object], int]:
    """Returns an object schema, and how many values it has once its references are replaced."""
    try:
        schema = msgspec.json.decode(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise SchemaError("must be a JSON Schema as JSON text") from error
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise SchemaError('must be a JSON Schema of an object: its "type" must be "object"')
    return schema, _size(schema)


class _Reference(NamedTuple):
    to: object
    level: int
    """How many schemas it is inside of."""


class _Measured(NamedTuple):
    nodes: int
    levels: int
    references: Sequence[_Reference]


def _size(root: dict[str, object]) -> int:
    """Returns how many values a schema has. Raises SchemaError if those, or its levels, are too many."""
    measured: dict[int, _Measured] = {}
    waiting: list[object] = [root]
    # Each value has few ancestors, so that all targets together have few times as many values as the whole.
    while waiting:
        value = waiting.pop()
        if id(value) not in measured:
            measured[id(value)] = found = _measure(value, root)
            waiting += [reference.to for reference in found.references]
    graph = {key: [id(reference.to) for reference in one.references] for key, one in measured.items()}
    try:
        order = tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise SchemaError("must have no reference that leads to itself") from error
    sizes: dict[int, tuple[int, int]] = {}
    for key in order:
        one = measured[key]
        nodes = one.nodes + sum(sizes[id(reference.to)][0] for reference in one.references)
        below = [reference.level + sizes[id(reference.to)][1] for reference in one.references]
        _check(nodes, levels := max([one.levels, *below]))
        sizes[key] = (nodes, levels)
    return sizes[id(root)][0]


def _measure(value: object, root: dict[str, object]) -> _Measured:
    nodes, deepest, references = 0, 0, list[_Reference]()
    stack: list[tuple[object, int, str]] = [(value, 1, "")]
    while stack:
        one, level, keyword = stack.pop()
        nodes, deepest = nodes + _weight(keyword, one), max(deepest, level)
        _check(nodes, deepest)
        if isinstance(one, list):
            stack.extend((inner, level + isinstance(inner, dict | list), "") for inner in one)
        if not isinstance(one, dict):
            continue
        by_name = keyword in _NAMED
        for name, inner in one.items():
            if not by_name and name in _REFERENCES and isinstance(inner, str):
                references.append(_Reference(_target(root, inner), level))
            is_schema = isinstance(inner, dict) and (by_name or name not in _NAMED)
            stack.append((inner, level + is_schema, "" if by_name else name))
    return _Measured(nodes, deepest, references)


def _weight(keyword: str, value: object) -> int:
    if keyword == "pattern":
        return 1 + _PATTERN_NODES
    if keyword == "patternProperties" and isinstance(value, dict):
        return 1 + _PATTERN_NODES * len(value)
    return 1


def _check(nodes: int, levels: int) -> None:
    if levels > MOST_LEVELS:
        raise SchemaError(f"must have at most {MOST_LEVELS} schemas inside one another")
    if nodes > MOST_NODES:
        raise SchemaError(f"must have at most {MOST_NODES} values, with those that its references lead to")


def _target(root: dict[str, object], reference: str) -> object:
    """Returns what a reference leads to."""
    value: object = root
    for name in _names(reference):
        if isinstance(value, list) and name.isdecimal() and len(name) < len(str(MOST_NODES)):
            value = value[int(name)] if int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    if not isinstance(value, dict):
        raise SchemaError('must have only references to its own schemas, such as "#/$defs/name"')
    return value


def _names(reference: str) -> Iterator[str]:
    path, *names = reference.split("/", MOST_LEVELS * 2 + 1)
    if path != "#":
        raise SchemaError('must have only references to its own schemas, such as "#/$defs/name"')
    for name in names:
        yield unquote(name).replace("~1", "/").replace("~0", "~")


def _compiled(
    schema: dict[str, object], patterns: jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions
) -> jsonschema_rs.Validator:
    try:
        return jsonschema_rs.validator_for(schema, pattern_options=patterns, validate_formats=False, offline=True)
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        raise SchemaError(_said(error)) from error


def _said(error: Exception) -> str:
    if isinstance(error, jsonschema_rs.ValidationError) and error.instance_path:
        place = "/".join(map(str, error.instance_path))
        return f"must be a valid JSON Schema: it is not at #/{place}"[:500]
    return "must be a valid JSON Schema"
