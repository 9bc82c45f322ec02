"""JSON Schemas of Python types, and values of these types from JSON."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from typing import Any, Protocol, TypeGuard, TypeVar

import msgspec

ValueT = TypeVar("ValueT")

_DEFINED = "#/$defs/"
# Floats below it hold whole numbers exactly.
_EXACT = 2.0**53


class _PydanticModel(Protocol):
    """A class of models of Pydantic, which the SDK does not need otherwise."""

    __name__: str

    def model_json_schema(self, *, ref_template: str) -> dict[str, Any]: ...

    def model_validate(self, value: object) -> object: ...


def schema_of(kind: object) -> dict[str, Any]:
    """Returns the JSON Schema of a type; raises TypeError if it has none, or if it holds itself."""
    defined: dict[str, Any] = {}

    def of_custom(custom: type) -> dict[str, Any]:
        if not _is_pydantic(custom):
            raise TypeError(f"{getattr(custom, '__name__', custom)} has no JSON Schema")
        # The model's name keeps its definitions apart from those of others.
        schema = custom.model_json_schema(ref_template=f"{_DEFINED}{custom.__name__}.{{model}}")
        inner = schema.pop("$defs", {})
        defined.update({f"{custom.__name__}.{name}": definition for name, definition in inner.items()})
        return schema

    schema = msgspec.json.schema(kind, schema_hook=of_custom)
    defined |= schema.pop("$defs", {})
    _refuse_recursion(defined)
    if "$ref" in schema:
        schema = defined.pop(schema["$ref"].removeprefix(_DEFINED))
    return schema | ({"$defs": defined} if defined else {})


def value_of(kind: type[ValueT], text: str) -> ValueT:
    """Returns the value of a type that JSON text holds; raises ValueError, which says what is wrong, if it does not."""
    try:
        return _read(kind, text.encode(errors="replace"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def _read(kind: type[ValueT], data: bytes) -> ValueT:
    try:
        return msgspec.json.decode(data, type=kind, dec_hook=_validated)
    except msgspec.ValidationError as error:
        # An integer of JSON Schema may also be written as 3.0.
        try:
            return msgspec.convert(_whole(msgspec.json.decode(data)), kind, dec_hook=_validated)
        except msgspec.ValidationError:
            raise error from None


def json_of(value: object) -> str:
    """Returns a value as JSON text; raises TypeError if it has no such form."""
    return msgspec.json.encode(value, enc_hook=_encodable).decode()


def _is_pydantic(kind: object) -> TypeGuard[_PydanticModel]:
    return isinstance(kind, type) and hasattr(kind, "model_json_schema") and hasattr(kind, "model_validate")


def _whole(value: Any) -> Any:
    """Returns a value of JSON with whole numbers as int."""
    if isinstance(value, dict):
        return {name: _whole(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_whole(inner) for inner in value]
    return int(value) if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT else value


def _validated(kind: type, value: object) -> object:
    if _is_pydantic(kind):
        return kind.model_validate(value)
    raise NotImplementedError


def _encodable(value: Any) -> object:
    if _is_pydantic(type(value)):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no form as JSON")


def _refuse_recursion(defined: dict[str, Any]) -> None:
    needs = {name: set(_references(schema)) for name, schema in defined.items()}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        raise TypeError(f"{error.args[1][0]} holds itself, which no model's schema may do") from None


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            yield reference.removeprefix(_DEFINED)
    for inner in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from _references(inner)
