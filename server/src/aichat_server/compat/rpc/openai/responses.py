"""The Responses API."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from aichat.v1 import openai_pb2 as pb
from google.api.httpbody_pb2 import HttpBody

from aichat_server.compat.rpc.headers import Headers
from aichat_server.core.errors import AichatError, Reason


class Responses:
    """The Responses API."""

    def create(self, _body: HttpBody, _headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Answers."""
        raise _not_served()

    def retrieve(self, _request: pb.RetrieveResponseRequest) -> AsyncGenerator[HttpBody, None]:
        """Returns a stored response, or its events."""
        raise _not_served()

    def cancel(self, _response_id: str) -> AsyncGenerator[HttpBody, None]:
        """Cancels a response."""
        raise _not_served()

    def delete(self, _response_id: str) -> AsyncGenerator[HttpBody, None]:
        """Deletes a response."""
        raise _not_served()

    def input_items(self, _request: pb.ListResponseInputItemsRequest) -> AsyncGenerator[HttpBody, None]:
        """Lists what a response was asked."""
        raise _not_served()


def _not_served() -> AichatError:
    return AichatError(Reason.ROUTE_UNKNOWN, "this server does not serve it yet")
