"""Messages: the conversation and its answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from aichat.v1 import anthropic_pb2 as pb
from google.api.httpbody_pb2 import HttpBody

from aichat_server.compat.rpc.headers import Headers
from aichat_server.core.errors import AichatError, Reason


class Messages:
    """Messages: the conversation and its answer."""

    def create(self, _request: pb.CreateMessageRequest, _headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Answers."""
        raise _not_served()

    def count(self, _request: pb.CountMessageTokensRequest, _headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Counts the input tokens."""
        raise _not_served()


def _not_served() -> AichatError:
    return AichatError(Reason.ROUTE_UNKNOWN, "this server does not serve it yet")
