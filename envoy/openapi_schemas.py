"""Writes the contract's messages and enums as JSON schemas."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

Schema = dict[str, Any]
Option = Callable[[Any, str], Any]

_PACKAGE = re.compile(r"^(aichat\.v1|google\.\w+)\.")
_RAW = "google.api.HttpBody"
_RULES = "buf.validate.field"
_SCALARS: Mapping[int, Schema] = MappingProxyType(
    {
        FieldDescriptor.TYPE_BOOL: {"type": "boolean"},
        FieldDescriptor.TYPE_STRING: {"type": "string"},
        FieldDescriptor.TYPE_BYTES: {"type": "string", "contentEncoding": "base64"},
        FieldDescriptor.TYPE_DOUBLE: {"type": "number", "format": "double"},
        FieldDescriptor.TYPE_FLOAT: {"type": "number", "format": "float"},
        FieldDescriptor.TYPE_INT32: {"type": "integer", "format": "int32"},
        FieldDescriptor.TYPE_UINT32: {"type": "integer", "format": "uint32", "minimum": 0},
        # JSON's own numbers lose digits of these.
        FieldDescriptor.TYPE_INT64: {"type": "string", "format": "int64", "pattern": "^-?[0-9]{1,19}$"},
        FieldDescriptor.TYPE_UINT64: {"type": "string", "format": "uint64", "pattern": "^[0-9]{1,20}$"},
    }
)
_KNOWN: Mapping[str, Schema] = MappingProxyType(
    {
        "google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
        "google.protobuf.Duration": {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?s$"},
        "google.protobuf.Struct": {"type": "object"},
        "google.protobuf.Value": {},
        "google.protobuf.Empty": {"type": "object"},
        "google.protobuf.Any": {"type": "object", "required": ["@type"], "properties": {"@type": {"type": "string"}}},
    }
)
# What a bound of protovalidate is in a schema; exclusive ones too.
_BOUNDS = {"gte": "minimum", "lte": "maximum", "gt": "exclusiveMinimum", "lt": "exclusiveMaximum"}
_NUMBERS = ("int32", "uint32", "double", "float")


class Schemas:
    """The schemas of messages and enums, each once."""

    def __init__(self, comments: Mapping[str, str], option: Option) -> None:
        """`comments` are those of the contract, by full name; `option` reads an option of a descriptor."""
        self.components: dict[str, Schema] = {}
        self._comments = comments
        self._option = option

    def message(self, message: Descriptor) -> Schema:
        """Returns a reference to the schema of a message, or the schema itself if JSON has a form of its own for it."""
        if message.full_name in _KNOWN:
            return dict(_KNOWN[message.full_name])
        name = _PACKAGE.sub("", message.full_name)
        if name not in self.components:
            # Stored before it is complete, since a message may contain others of its own kind.
            self.components[name] = {}
            self.components[name] = self.object(message)
        return {"$ref": f"#/components/schemas/{name}"}

    def object(self, message: Descriptor, without: frozenset[str] = frozenset()) -> Schema:
        """Returns the schema of a message's fields but those that are `without`."""
        # An event has no field for itself.
        fields = [field for field in message.fields if field.name not in without and not is_raw(field)]
        schema: Schema = {"type": "object"}
        if text := self._comments.get(message.full_name):
            schema["description"] = text
        schema["properties"] = {field.name: self.field(field) for field in fields}
        if required := [field.name for field in fields if self._rules(field).required]:
            schema["required"] = required
        return schema

    def field(self, field: FieldDescriptor) -> Schema:
        """Returns the schema of a field, with its comment and its rules."""
        rules = self._rules(field)
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            schema: Schema = {"type": "object", "additionalProperties": self._one(field.message_type.fields[1], rules)}
        elif field.is_repeated:
            items = self._one(field, rules.repeated.items)
            schema = {"type": "array", "items": items, **_counted(rules.repeated)}
        else:
            schema = self._one(field, rules)
        if text := self.text(field):
            schema["description"] = text
        return schema

    def text(self, field: FieldDescriptor) -> str:
        """Returns a field's comment, and with which others it excludes."""
        text = self._comments.get(field.full_name, "")
        oneof = field.containing_oneof
        if oneof is None or len(oneof.fields) == 1:
            return text
        others = ", ".join(f"`{other.name}`" for other in oneof.fields if other is not field)
        return f"{text}\n\nOnly one is set of this field and {others}.".strip()

    def enum(self, enum: EnumDescriptor) -> Schema:
        """Returns a reference to the schema of an enum."""
        name = _PACKAGE.sub("", enum.full_name)
        told = [f"- `{value.name}`: {self._comments.get(_value(enum, value.name), '')}" for value in enum.values]
        text = "\n".join([self._comments.get(enum.full_name, ""), "", *told])
        self.components[name] = {"type": "string", "description": text, "enum": [value.name for value in enum.values]}
        return {"$ref": f"#/components/schemas/{name}"}

    def _one(self, field: FieldDescriptor, rules: Any) -> Schema:
        if field.message_type is not None:
            return self.message(field.message_type)
        if field.enum_type is not None:
            return self.enum(field.enum_type)
        return {**_SCALARS[field.type], **dict(_limits(field, rules))}

    def _rules(self, field: FieldDescriptor) -> Any:
        return self._option(field, _RULES)


def events(*kinds: Schema) -> Schema:
    """Returns the schema of server-sent events whose data is JSON of one of these kinds; none: any text.

    OpenAPI 3.1 leaves open whether it describes the stream, which is a text, or each event, so it describes both.
    """
    data: Schema = {"type": "string"}
    if kinds:
        data |= {"contentMediaType": "application/json", "contentSchema": {"anyOf": list(kinds)}}
    text = {"type": "string"}
    return {"type": ["string", "object"], "properties": {"id": text, "event": text, "data": data}}


def is_raw(field: FieldDescriptor) -> bool:
    """Whether a field is an HTTP body."""
    return field.message_type is not None and field.message_type.full_name == _RAW


def _value(enum: EnumDescriptor, name: str) -> str:
    """Returns the full name of a value, which stands beside its enum."""
    return f"{enum.full_name.rpartition('.')[0]}.{name}"


def _counted(rules: Any) -> Schema:
    found = {"minItems": rules.min_items, "maxItems": rules.max_items, "uniqueItems": rules.unique}
    return {name: value for name, value in found.items() if value}


def _limits(field: FieldDescriptor, rules: Any) -> Iterator[tuple[str, Any]]:
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            yield from _text(rules.string)
        case FieldDescriptor.TYPE_BYTES if rules.bytes.max_len:
            # Three bytes are four characters.
            yield "maxLength", (rules.bytes.max_len + 2) // 3 * 4
    for kind in _NUMBERS:
        if rules.HasField(kind):
            numbers = getattr(rules, kind)
            yield from ((named, getattr(numbers, rule)) for rule, named in _BOUNDS.items() if numbers.HasField(rule))


def _text(rules: Any) -> Iterator[tuple[str, Any]]:
    if rules.min_len or rules.min_bytes:
        yield "minLength", rules.min_len or 1
    if rules.max_len or rules.max_bytes:
        # A character has one byte at least.
        yield "maxLength", rules.max_len or rules.max_bytes
    if rules.pattern:
        yield "pattern", rules.pattern
    for form in ("uuid", "uri", "email"):
        if getattr(rules, form):
            yield "format", form
