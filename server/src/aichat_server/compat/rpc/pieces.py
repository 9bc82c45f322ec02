"""The pieces of responses, and the bodies of requests."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from google.api.httpbody_pb2 import HttpBody

from aichat_server.compat.domain.bodies import JsonBody, json_body
from aichat_server.transport.bodies import received_body
from aichat_server.transport.foreign import EVENTS, JSON

Response = TypeVar("Response")

_encoder = msgspec.json.Encoder()


def body_of(body: HttpBody) -> JsonBody:
    """Returns the JSON of this call's request, once. Raises REQUEST_MALFORMED."""
    return json_body(received_body(body))


def json_piece(told: Any) -> HttpBody:
    """Returns a whole response."""
    return HttpBody(content_type=JSON, data=_encoder.encode(told))


def events_piece(data: bytes) -> HttpBody:
    """Returns server-sent events."""
    return HttpBody(content_type=EVENTS, data=data)


def response_of(kind: type[Response], piece: HttpBody) -> Response:
    """Returns an RPC's response with a piece."""
    response = kind()
    # To pass it to the constructor would take three times as long.
    response.piece.CopyFrom(piece)  # type: ignore[attr-defined]
    return response
