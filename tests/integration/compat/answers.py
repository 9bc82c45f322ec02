"""Answers of the three APIs, as they arrive."""

from __future__ import annotations

from typing import Any

import grpc

from tests.e2e.compat.cuts import SURFACES
from tests.integration.compat.caller import Caller

STATUS = "x-aichat-status"


class Answer:
    """An answer to a text."""

    def __init__(self, caller: Caller, api: str, model: str, text: str, **fields: Any) -> None:
        self.api = api
        self.data = b""
        """What has arrived."""
        self._call = caller.begin(api, SURFACES[api].body(model, text, **fields))

    async def headers(self) -> dict[str, str]:
        """Returns the response's headers, which come with its first piece."""
        return {name: str(value) for name, value in await self._call.initial_metadata()}

    async def until(self, text: bytes) -> None:
        """Returns once this text has arrived."""
        while text not in self.data:
            assert await self._piece(), self.data

    async def rest(self) -> bytes:
        """Returns all of the answer."""
        while await self._piece():
            """All of it."""
        return self.data

    def leave(self) -> None:
        """Breaks the connection off."""
        self._call.cancel()

    @property
    def is_whole(self) -> bool:
        """Whether the stream ended as the API ends one that succeeds."""
        return SURFACES[self.api].last in self.data

    async def _piece(self) -> bool:
        piece = await self._call.read()
        if piece is grpc.aio.EOF:
            return False
        self.data += piece.piece.data
        return True
