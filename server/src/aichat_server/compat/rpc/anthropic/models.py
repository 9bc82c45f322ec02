"""The models, in the form of Anthropic."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from aichat.v1 import anthropic_pb2 as pb
from google.api.httpbody_pb2 import HttpBody

from aichat_server.compat.rpc.headers import Headers
from aichat_server.core.errors import AichatError, Reason


class AnthropicModels:
    """The models, in the form of Anthropic."""

    def list(self, _request: pb.ListAnthropicModelsRequest, _headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Lists the models."""
        raise _not_served()

    def get(self, _model: str, _headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Returns one model."""
        raise _not_served()


def _not_served() -> AichatError:
    return AichatError(Reason.ROUTE_UNKNOWN, "this server does not serve it yet")
