"""What OpenAI's API asks of embeddings, in the platform's terms."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import msgspec

from aichat_server.compat.domain.bodies import JsonBody
from aichat_server.core.errors import invalid_request
from aichat_server.embeddings.domain.embeddings import MOST_INPUTS, AskedEmbeddings
from aichat_server.generations.domain.generation import Claim
from aichat_server.providers.domain.embeddings import Inputs

INPUT = "input"
NAMES = ((re.compile(r"^tokens$"), INPUT),)
"""What the API calls our options."""
MOST_INPUT_BYTES = 8 * 1024 * 1024
_MOST_COMMAS = 500_000
"""More than there are between the tokens, or within the texts, of the most that any model takes at once."""

_Token = Annotated[int, msgspec.Meta(ge=0, lt=2**32)]
Encoding = Literal["float", "base64"]


class Request(msgspec.Struct):
    """The body of a request, as far as it matters: `user` and unknown fields are ignored."""

    model: str
    input: str | list[str | _Token | list[_Token]]
    encoding_format: Encoding = "float"
    dimensions: Annotated[int, msgspec.Meta(ge=1, le=65_536)] | None = None


def read(body: JsonBody) -> Request:
    """Returns the request. Raises REQUEST_INVALID with the field; nothing that is too long is read."""
    raw = bytes(body.fields.get(INPUT, b""))
    if len(raw) > MOST_INPUT_BYTES or raw.count(b",") > _MOST_COMMAS:
        raise invalid_request(INPUT, "is too long: send fewer or shorter inputs")
    return body.read(Request)


def asked(request: Request, claim: Claim | None) -> AskedEmbeddings:
    """Returns what is asked. `claim`: of the Idempotency-Key. Raises REQUEST_INVALID with the field."""
    inputs, request_id = _inputs(request.input), claim.request_id if claim is not None else None
    return AskedEmbeddings(request.model, inputs, request.dimensions, request_id=request_id, field=INPUT)


def _inputs(told: str | list[str | int | list[int]]) -> Inputs:
    if isinstance(told, str):
        return (_text(told, INPUT),)
    kinds = set(map(type, told))
    if kinds == {int}:
        return (tuple(one for one in told if isinstance(one, int)),)
    if len(told) > MOST_INPUTS or len(kinds) != 1:
        raise invalid_request(INPUT, f"must be a text, or 1 to {MOST_INPUTS} texts or lists of tokens")
    if kinds == {str}:
        return tuple(_text(one, f"{INPUT}[{number}]") for number, one in enumerate(told) if isinstance(one, str))
    return tuple(tuple(one) for one in told if isinstance(one, list))


def _text(text: str, field: str) -> str:
    """Returns the text; raises REQUEST_INVALID if it cannot be sent or stored."""
    if not text.isprintable() and ("\0" in text or any("\ud800" <= char <= "\udfff" for char in text)):
        raise invalid_request(field, "must have no NUL and no lone surrogate")
    return text
