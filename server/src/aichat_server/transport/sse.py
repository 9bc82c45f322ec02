"""Server-sent events for EventSource: the form of a stream's responses for HTTP callers.

They cannot read trailers, as gRPC's can, so the last event says how the call ended.
"""

from __future__ import annotations

import json
import re
from typing import Any

from google.api.httpbody_pb2 import HttpBody
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status

from aichat_server.core.errors import invalid_request
from aichat_server.transport.call import Context

MARK = "x-aichat-server-sent-events"
"""The header with which the edge requests a stream as events."""
NOTHING_MORE = "x-aichat-nothing-more"
"""The header that reports a stream without events to the edge: HTTP's 204, after which EventSource does not reconnect.
"""
CONTENT_TYPE = "text/event-stream"

_LAST_EVENT_ID = "last-event-id"
_NUMBER = re.compile(r"[0-9]{1,18}")


class EventStream:
    """Sends a call's responses as events."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._kind: type[Any] | None = None

    async def write(self, response: Any) -> None:
        """Sends one response."""
        self._kind = type(response)
        await self._send(self._kind, f"data: {_json(response)}\nid: {response.sequence}\n\n")

    async def finish(self) -> None:
        """Ends the stream successfully."""
        if self._kind is None:
            await self._context.send_initial_metadata(((NOTHING_MORE, "true"),))

    async def fail(self, status: Status) -> None:
        """Sends the stream's failure. Before the first event, HTTP's own status does that."""
        if self._kind is not None:
            await self._send(self._kind, f"event: error\ndata: {_json(status)}\n\n")

    async def _send(self, kind: type[Any], event: str) -> None:
        body = HttpBody(content_type=CONTENT_TYPE, data=event.encode())
        await self._context.write(kind(server_sent_event=body))


def last_event_id(context: Context) -> int | None:
    """Returns the last event that an EventSource had before it lost its connection; None without one.

    It keeps using its original URL, so this is newer than the number in there.
    """
    headers = context.invocation_metadata() or ()
    given = next((value for name, value in headers if name == _LAST_EVENT_ID), None)
    if not given:
        return None
    if not (isinstance(given, str) and _NUMBER.fullmatch(given)):
        text = f"must be the number of an event where it comes as the header {_LAST_EVENT_ID}"
        raise invalid_request("after_sequence", text)
    return int(given)


def _json(message: Message) -> str:
    """In the same form as the edge's answers: fields by their names, in the contract's order, empty ones included."""
    held = MessageToDict(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
    ordered = {field.name: held[field.name] for field in message.DESCRIPTOR.fields if field.name in held}
    return json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
