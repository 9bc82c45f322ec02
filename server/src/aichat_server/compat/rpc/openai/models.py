"""The models, in the form of OpenAI."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from google.api.httpbody_pb2 import HttpBody

from aichat_server.core.errors import AichatError, Reason


class OpenAIModels:
    """The models, in the form of OpenAI."""

    def list(self) -> AsyncGenerator[HttpBody, None]:
        """Lists the models."""
        raise _not_served()

    def get(self, _model: str) -> AsyncGenerator[HttpBody, None]:
        """Returns one model."""
        raise _not_served()


def _not_served() -> AichatError:
    return AichatError(Reason.ROUTE_UNKNOWN, "this server does not serve it yet")
