"""The JSON bodies of requests, read as far as needed: the rest stays as it was sent."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from aichat_server.core.errors import AichatError, Reason, invalid_request

T = TypeVar("T")

_BOM = b"\xef\xbb\xbf"
_MISSING = re.compile(r"Object missing required field `(\w+)`")
_fields_decoder = msgspec.json.Decoder(dict[str, msgspec.Raw])
_list_decoder = msgspec.json.Decoder(list[msgspec.Raw])


@dataclass(frozen=True, slots=True)
class JsonBody:
    """A JSON object."""

    raw: bytes | memoryview
    fields: Mapping[str, msgspec.Raw]
    """Each field's value as it was sent; of a field that was sent twice, the last one."""

    def read(self, form: type[T]) -> T:
        """Returns the body as `form`, whose unknown fields are ignored.

        Raises REQUEST_INVALID that names the field, or REQUEST_MALFORMED if a text is none.
        """
        try:
            return msgspec.json.decode(self.raw, type=form)
        except msgspec.ValidationError as error:
            words, _, place = str(error).partition(" - at `$")
            path = place.rstrip("`")
            if missing := _MISSING.match(words):
                raise invalid_request(f"{path}.{missing[1]}".lstrip("."), "is required") from None
            raise invalid_request(path.lstrip("."), f"is not valid: {words}") from None
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _malformed(error) from None

    def digest(self, route: str) -> bytes:
        """Returns a hash that is the same for the same JSON, however it is written. `route` says what it asks for.

        Raises REQUEST_MALFORMED.
        """
        told = hashlib.sha256(route.encode() + b"\n")
        try:
            for piece in self._canonical():
                told.update(piece)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise _malformed(error) from None
        return told.digest()

    def _canonical(self) -> Iterator[bytes]:
        """Yields the body in its canonical form, one element of a list at a time: lists hold what is large."""
        for name in sorted(self.fields):
            value = self.fields[name]
            yield msgspec.json.encode(name)
            if bytes(memoryview(value)[:1]) == b"[":
                for item in _list_decoder.decode(value):
                    yield b","
                    yield _sorted(item)
                yield b"]"
            else:
                yield _sorted(value)


def json_body(raw: bytes | memoryview) -> JsonBody:
    """Returns a body. Raises REQUEST_MALFORMED if it is no JSON object."""
    if raw[:3] == _BOM:
        raw = raw[3:]
    if not raw:
        raise AichatError(Reason.REQUEST_MALFORMED, "the request has no body: send a JSON object")
    try:
        return JsonBody(raw, _fields_decoder.decode(raw))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _malformed(error) from None


def _sorted(value: msgspec.Raw) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(value), order="sorted")


def _malformed(error: Exception) -> AichatError:
    return AichatError(Reason.REQUEST_MALFORMED, f"the request's body is not a JSON object in UTF-8: {error}")
