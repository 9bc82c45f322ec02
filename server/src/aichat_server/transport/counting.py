"""Counts a request's elements on the wire, before any of it is decoded.

So the cost of refusing a request does not grow with its contents.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from buf.validate import validate_pb2
from google.protobuf.descriptor import Descriptor, FieldDescriptor

from aichat_server.core.errors import AichatError, Reason, invalid_request

MOST_FIELDS = 4096 + 64
"""The most elements of a request, however small each is: 2048 lists of tokens with a field each, and some more."""

_VARINT, _FIXED64, DELIMITED, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}
_MOST_VARINT_BITS = 70
_NEVER_PACKED = {FieldDescriptor.TYPE_STRING, FieldDescriptor.TYPE_BYTES, FieldDescriptor.TYPE_MESSAGE}
# A field for bytes that may be longer than this holds a file.
_FILE_BYTES = 1024 * 1024
_HTTP_BODY = "google.api.HttpBody.data"
# The bytes of a varint except for its last one.
_CONTINUED = bytes(range(0x80, 0x100))


@dataclass(frozen=True, slots=True)
class FieldShape:
    """The limits of one field."""

    name: str
    most: int | None
    """The most elements of a list; None if it is not a list."""
    packed: bool
    """Whether one field on the wire may hold many elements."""
    message: Mapping[int, FieldShape] | None
    """The fields of its message, by number; None if it is not a message."""
    holds_file: bool
    """Whether it holds the bytes of a file."""


MessageShape = Mapping[int, FieldShape]


def shape_of(message: Descriptor, *, body_is_file: bool = False) -> MessageShape:
    """Returns a request's fields by number. A list without `max_items` in the contract must be empty.

    `body_is_file`: the bytes of an HTTP body count as those of a file.
    """
    return _shape(message, {}, _HTTP_BODY if body_is_file else "")


def check_counts(raw: bytes, shape: MessageShape) -> None:
    """Raises REQUEST_INVALID if a list is too long, or if there are too many fields in total.

    Raises REQUEST_MALFORMED if the fields cannot be parsed.
    """
    _Counter(raw).count(0, len(raw), shape, "")


def _shape(message: Descriptor, known: dict[str, dict[int, FieldShape]], file: str) -> MessageShape:
    found = known.get(message.full_name)
    if found is None:
        # Stored before it is complete, since a message may contain others of its own kind.
        found = known[message.full_name] = {}
        found.update((field.number, _field(field, known, file)) for field in message.fields)
    return found


def _field(field: FieldDescriptor, known: dict[str, dict[int, FieldShape]], file: str) -> FieldShape:
    rules = field.GetOptions().Extensions[validate_pb2.field]
    most = rules.repeated.max_items if field.is_repeated else None
    inner = _shape(field.message_type, known, file) if field.message_type is not None else None
    holds_file = rules.bytes.max_len > _FILE_BYTES or field.full_name == file
    return FieldShape(field.name, most, field.type not in _NEVER_PACKED, inner, holds_file)


class Reader:
    """Reads the tags of one request. Raises REQUEST_MALFORMED if they cannot be parsed."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw

    def extent(self, wire: int, at: int, end: int) -> tuple[int, int]:
        """Returns where a field's value begins and ends."""
        begin = at
        if wire == _VARINT:
            stop = self.varint(at, end)[1]
        elif wire == DELIMITED:
            size, begin = self.varint(at, end)
            stop = begin + size
        elif wire in _FIXED_BYTES:
            stop = at + _FIXED_BYTES[wire]
        else:
            # The contract has no groups: the decoder would read past them.
            raise malformed()
        if stop > end:
            raise malformed()
        return begin, stop

    def varint(self, at: int, end: int) -> tuple[int, int]:
        """Returns the number there, and where it ends."""
        value = shift = 0
        while at < end and shift < _MOST_VARINT_BITS:
            byte = self._raw[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte <= 0x7F:
                return value, at
            shift += 7
        raise malformed()


class _Counter(Reader):
    """Counts the fields of one request."""

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw)
        self._left = MOST_FIELDS

    def count(self, at: int, end: int, shape: MessageShape, path: str) -> None:
        """Counts the fields of the message in these bytes, and of messages inside it."""
        counted: dict[int, int] = {}
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise invalid_request(path, f"must not have more than {MOST_FIELDS} fields in all")
            tag, at = self.varint(at, end)
            number, wire = tag >> 3, tag & 7
            begin, stop = self.extent(wire, at, end)
            field = shape.get(number)
            if field is not None:
                where = f"{path}.{field.name}" if path else field.name
                if field.most is not None:
                    counted[number] = counted.get(number, 0) + self._elements(field, wire, begin, stop)
                    _hold(counted[number], field.most, where)
                if field.message is not None and wire == DELIMITED:
                    self.count(begin, stop, field.message, where)
            at = stop

    def _elements(self, field: FieldShape, wire: int, begin: int, stop: int) -> int:
        if wire != DELIMITED or not field.packed:
            return 1
        return len(self._raw[begin:stop].translate(None, _CONTINUED))


def malformed() -> AichatError:
    """Returns the error for bytes that are not a message."""
    message = "the request is no valid message of its type; send text as UTF-8, and whole messages"
    return AichatError(Reason.REQUEST_MALFORMED, message)


def _hold(count: int, most: int, where: str) -> None:
    if count > most:
        raise invalid_request(where, f"must contain no more than {most} item(s)" if most else "must be empty")
