"""Checks requests against the contract's types: a wrong value fails with its field's name before anything is sent."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

import betterproto2

from aichat_sdk.errors import ArgumentError, FieldViolation

_INTEGERS = {
    **dict.fromkeys((betterproto2.TYPE_INT32, betterproto2.TYPE_SINT32, betterproto2.TYPE_SFIXED32), (-(2**31), 2**31)),
    **dict.fromkeys((betterproto2.TYPE_INT64, betterproto2.TYPE_SINT64, betterproto2.TYPE_SFIXED64), (-(2**63), 2**63)),
    **dict.fromkeys((betterproto2.TYPE_UINT32, betterproto2.TYPE_FIXED32), (0, 2**32)),
    **dict.fromkeys((betterproto2.TYPE_UINT64, betterproto2.TYPE_FIXED64), (0, 2**64)),
}

# An error names at most this many fields, even for a list of a million wrong items.
_MOST_VIOLATIONS = 16

EnumT = TypeVar("EnumT", bound=betterproto2.Enum)


def check(message: betterproto2.Message) -> None:
    """Raises ArgumentError, naming every field that cannot be sent, if there is any."""
    violations = list(islice(_violations(message, ""), _MOST_VIOLATIONS))
    if violations:
        text = "; ".join(f"{violation.field} {violation.description}" for violation in violations)
        raise ArgumentError(text, violations=violations)


def member(kind: type[EnumT], name: object, field: str) -> EnumT:
    """Returns the enum's member of that name, in either case; raises ArgumentError, naming the field, if none has
    it.
    """
    members = {str(one.name).lower(): one for one in kind if one.value}
    found = members.get(name.lower()) if isinstance(name, str) else None
    if found is None:
        raise refusal(field, f"must be one of {', '.join(map(repr, members))}, not {name!r}")
    return found


def refusal(field: str, description: str) -> ArgumentError:
    """Returns the error that says what one field must be."""
    return ArgumentError(f"{field} {description}", violations=[FieldViolation(field, description)])


def options(given: Mapping[str, object], known: type[object]) -> None:
    """Raises ArgumentError, naming the option, if one is not in a TypedDict."""
    for name in given:
        if name not in known.__annotations__:
            near = difflib.get_close_matches(name, known.__annotations__, 1)
            raise refusal(name, f"is no option{f'; did you mean {near[0]}?' if near else ''}")


def seconds(value: float | None, field: str) -> float | None:
    """Returns a time in seconds, None for None; raises ArgumentError, naming the field, if it is not a number."""
    if value is not None and (wrong := wrong_number(value)):
        raise refusal(field, f"{wrong}, in seconds")
    return value


def wrong_number(value: object) -> str:
    """Returns what is wrong with a value that must be a number; empty if nothing is."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return _must_be("a number", value)
    try:
        return "" if math.isfinite(value) else f"must be a finite number, not {value}"
    except OverflowError:
        return "must be a smaller number"


def wrong_integer(value: object, least: int, above: int) -> str:
    """Returns what is wrong with a value that must be an integer, below `above`; empty if nothing is."""
    if isinstance(value, bool) or not isinstance(value, int):
        return _must_be("int", value)
    return "" if least <= value < above else f"must be from {least} to {above - 1}"


def wrong_text(value: object) -> str:
    """Returns what is wrong with a value that must be text; empty if nothing is."""
    if not isinstance(value, str):
        return _must_be("str", value)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        return (
            f"holds a lone surrogate, which is not a character, at position {error.start}; remove it, or read the "
            "text with the right encoding"
        )
    return ""


def _violations(message: Any, prefix: str) -> Iterator[FieldViolation]:
    described = message._betterproto
    for field, meta in described.meta_by_field_name.items():
        kind, value, name = described.cls_by_field[field], getattr(message, field), prefix + field
        if not meta.repeated:
            may_be_absent = meta.optional or meta.group or meta.proto_type == betterproto2.TYPE_MESSAGE
            if value is not None or not may_be_absent:
                yield from _of_value(meta, kind, value, name)
        elif isinstance(value, list | tuple):
            for number, item in enumerate(value):
                yield from _of_value(meta, kind, item, f"{name}[{number}]")
        else:
            yield FieldViolation(name, _must_be("a list", value))


def _of_value(meta: betterproto2.FieldMetadata, kind: type, value: object, name: str) -> Iterator[FieldViolation]:
    if isinstance(value, betterproto2.Message) and isinstance(value, kind):
        yield from _violations(value, f"{name}.")
    elif wrong := _wrong(meta.proto_type, kind, value):
        yield FieldViolation(name, wrong)


def _wrong(proto_type: str, kind: type, value: object) -> str:
    """Returns what is wrong with one value; empty if it can be sent."""
    if proto_type in _INTEGERS:
        return wrong_integer(value, *_INTEGERS[proto_type])
    by_type: dict[str, Callable[[Any], str]] = {
        betterproto2.TYPE_DOUBLE: wrong_number,
        betterproto2.TYPE_FLOAT: wrong_number,
        betterproto2.TYPE_STRING: wrong_text,
    }
    if proto_type in by_type:
        return by_type[proto_type](value)
    if not isinstance(value, kind):
        return _must_be(kind.__name__, value)
    if isinstance(value, datetime) and value.utcoffset() is None:
        return "must have a time zone, such as datetime.now(UTC) has"
    return ""


def _must_be(what: str, value: object) -> str:
    return f"must be {what}, not {'None' if value is None else type(value).__name__}"
