"""Reads the comments of the contract."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from google.protobuf.descriptor_pb2 import FileDescriptorSet

# Where a file's descriptor has its elements: by the numbers of the fields.
_MESSAGES, _ENUMS, _SERVICES = 4, 5, 6
_FIELDS, _NESTED, _NESTED_ENUMS, _VALUES, _METHODS = 2, 3, 4, 2, 2

Place = tuple[int, ...]


def comments_of(image: FileDescriptorSet) -> Mapping[str, str]:
    """Returns the comments that stand before elements, by the full name of each."""
    found: dict[str, str] = {}
    for file in image.file:
        said = {tuple(place.path): _flowing(place.leading_comments) for place in file.source_code_info.location}
        for name, place in _elements(file):
            if text := said.get(place):
                found[f"{file.package}.{name}"] = text
    return found


def _elements(file: Any) -> Iterator[tuple[str, Place]]:
    for name, place, message in _messages("", (_MESSAGES,), file.message_type):
        yield name, place
        yield from ((f"{name}.{field.name}", (*place, _FIELDS, at)) for at, field in enumerate(message.field))
        yield from _enums(f"{name}.", (*place, _NESTED_ENUMS), message.enum_type)
    yield from _enums("", (_ENUMS,), file.enum_type)
    for at, service in enumerate(file.service):
        yield service.name, (_SERVICES, at)
        for inner, method in enumerate(service.method):
            yield f"{service.name}.{method.name}", (_SERVICES, at, _METHODS, inner)


def _messages(prefix: str, at: Place, messages: Sequence[Any]) -> Iterator[tuple[str, Place, Any]]:
    for number, message in enumerate(messages):
        name, place = f"{prefix}{message.name}", (*at, number)
        yield name, place, message
        yield from _messages(f"{name}.", (*place, _NESTED), message.nested_type)


def _enums(prefix: str, at: Place, enums: Sequence[Any]) -> Iterator[tuple[str, Place]]:
    for number, enum in enumerate(enums):
        yield f"{prefix}{enum.name}", (*at, number)
        yield from ((f"{prefix}{value.name}", (*at, number, _VALUES, n)) for n, value in enumerate(enum.value))


def _flowing(text: str) -> str:
    """Returns a comment whose paragraphs are lines."""
    paragraphs = text.strip().split("\n\n")
    return "\n\n".join(" ".join(line.strip() for line in paragraph.splitlines()) for paragraph in paragraphs)
