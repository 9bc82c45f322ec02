"""The JSON bodies of requests, read as far as needed: the rest stays as it was sent."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import msgspec

from aichat_server.core.errors import AichatError, Reason, invalid_request

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class JsonBody:
    """A JSON object."""

    raw: bytes
    fields: Mapping[str, msgspec.Raw]
    """Each field's value as it was sent."""

    def read(self, form: type[T]) -> T:
        """Returns the body as `form`, whose unknown fields are ignored. Raises REQUEST_INVALID that names the field."""
        try:
            return msgspec.json.decode(self.raw, type=form)
        except msgspec.ValidationError as error:
            words, _, place = str(error).partition(" - at `$")
            raise invalid_request(place.rstrip("`").lstrip("."), f"is not valid: {words}") from None
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            # The text of a field is looked at here for the first time.
            raise AichatError(Reason.REQUEST_MALFORMED, f"the request's body is no valid text: {error}") from None

    def digest(self, route: str) -> bytes:
        """Returns a hash that is the same for the same JSON, however it is written. `route` says what it asks for."""
        told = msgspec.json.encode(msgspec.json.decode(self.raw), order="sorted")
        return hashlib.sha256(route.encode() + b"\n" + told).digest()


def json_body(raw: bytes) -> JsonBody:
    """Returns a body. Raises REQUEST_MALFORMED if it is no JSON object."""
    try:
        return JsonBody(raw, msgspec.json.decode(raw, type=dict[str, msgspec.Raw]))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = f"the request's body is not a JSON object: {error}"
        raise AichatError(Reason.REQUEST_MALFORMED, message) from None
