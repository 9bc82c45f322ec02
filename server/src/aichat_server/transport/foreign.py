"""The HTTP responses of another company's API, as pieces of an RPC's stream.

A call that fails never ends with gRPC's status, which HTTP clients would see as a whole answer: before the first piece
its response has the API's own status and body, and after that its last piece says that it failed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from google.api.httpbody_pb2 import HttpBody

from aichat_server.core.errors import AichatError
from aichat_server.transport.call import REQUEST_ID_KEY, Context

STATUS_KEY = "x-aichat-status"
"""The header by which the server tells the edge the HTTP status."""
MOST_PIECE_BYTES = 1024 * 1024
"""Larger pieces are sent as several."""
JSON = "application/json"
EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Refusal:
    """A response that says why a call failed."""

    status: int
    body: bytes
    """JSON."""
    headers: Mapping[str, str] = field(default_factory=dict)


class ForeignErrors(Protocol):
    """Writes failures as one API does."""

    def refusal(self, error: AichatError, request_id: str) -> Refusal:
        """Returns the response of a call that fails before its response has begun."""
        ...

    def last_event(self, error: AichatError, request_id: str) -> bytes:
        """Returns what ends the stream of a call that fails later."""
        ...


class ForeignReply:
    """The response of one call. Set its headers before its first piece is sent."""

    def __init__(self, context: Context, request_id: str, kind: type[Any], errors: ForeignErrors) -> None:
        """`kind` is the type of the RPC's responses."""
        self.headers: dict[str, str] = {}
        self.late_headers: Callable[[], Mapping[str, str]] = dict
        """Returns those that are known only when the response begins."""
        self._context = context
        self._request_id = request_id
        self._kind = kind
        self._errors = errors
        self._begun = False

    async def write(self, response: Any) -> None:
        """Sends a piece, which may be of any size."""
        if not self._begun:
            await self._begin(self.headers)
        if len(response.piece.data) <= MOST_PIECE_BYTES:
            await self._context.write(response)
            return
        # gRPC would end the call with a status in the middle of the body, which HTTP clients take for its end.
        piece = response.piece
        for at in range(0, len(piece.data), MOST_PIECE_BYTES):
            part = HttpBody(content_type=piece.content_type, data=piece.data[at : at + MOST_PIECE_BYTES])
            await self._context.write(self._kind(piece=part))

    async def fail(self, error: AichatError) -> None:
        """Ends the response with a failure."""
        if self._begun:
            piece = HttpBody(data=self._errors.last_event(error, self._request_id))
        else:
            refusal = self._errors.refusal(error, self._request_id)
            await self._begin({**self.headers, **refusal.headers, STATUS_KEY: str(refusal.status)})
            piece = HttpBody(content_type=JSON, data=refusal.body)
        await self._context.write(self._kind(piece=piece))

    async def _begin(self, headers: Mapping[str, str]) -> None:
        self._begun = True
        await self._context.send_initial_metadata(tuple(self._all({**self.late_headers(), **headers})))

    def _all(self, headers: Mapping[str, str]) -> Iterable[tuple[str, str]]:
        yield REQUEST_ID_KEY, self._request_id
        yield "request-id", self._request_id
        yield from headers.items()


_reply: ContextVar[ForeignReply] = ContextVar("reply")


def set_reply(reply: ForeignReply) -> None:
    """Sets the response of the call that this task answers."""
    _reply.set(reply)


def current_reply() -> ForeignReply:
    """Returns the response of the call that this task answers. Raises LookupError if its service has its own form."""
    return _reply.get()
