"""The models that members can chat with."""

from __future__ import annotations

from aichat_sdk._methods import LIST_MODELS
from aichat_sdk._proto.aichat.v1 import ListModelsRequest
from aichat_sdk._transport import Transport
from aichat_sdk.types import Model

__all__ = ["Models"]


class Models:
    """`client.models`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self, *, timeout: float | None = None) -> list[Model]:
        """Returns every model that the organisation may use, by vendor and id."""
        return (await self._transport.call(LIST_MODELS, ListModelsRequest(), timeout=timeout)).models
