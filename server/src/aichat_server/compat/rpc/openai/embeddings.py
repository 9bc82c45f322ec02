"""Embeddings of texts."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from google.api.httpbody_pb2 import HttpBody

from aichat_server.compat.rpc.headers import Headers
from aichat_server.core.errors import AichatError, Reason


class Embeddings:
    """Embeddings of texts."""

    def create(self, _body: HttpBody, _headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Returns embeddings."""
        raise _not_served()


def _not_served() -> AichatError:
    return AichatError(Reason.ROUTE_UNKNOWN, "this server does not serve it yet")
