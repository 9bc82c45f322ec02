"""The models that members can chat with. Generated from models.py: do not edit."""

from __future__ import annotations

from aichat_sdk._portal import Portal
from aichat_sdk.models import Models as AsyncModels
from aichat_sdk.types import Model

__all__ = ["Models"]


class Models:
    """`client.models`."""

    def __init__(self, inner: AsyncModels, portal: Portal) -> None:
        self._inner = inner
        self._portal = portal

    def list(self, *, timeout: float | None = None) -> list[Model]:
        """Returns every model that the organisation may use, by vendor and id."""
        return self._portal.run(self._inner.list(timeout=timeout))
