"""What carries calls: gRPC, or the memory of a test."""

from __future__ import annotations

from collections.abc import AsyncIterable
from typing import Protocol

Headers = tuple[tuple[str, str], ...]


class WireStream(Protocol):
    """The responses of one streaming call."""

    async def read(self) -> bytes | None:
        """Returns the next response, None after the last; raises AIChatError if the call fails."""

    def cancel(self) -> None:
        """Ends the call, if it is still open."""


class Wire(Protocol):
    """Sends and receives bytes. `path` names the RPC, such as "/aichat.v1.ChatService/StreamChat".

    `timeout` is in seconds; None: no limit. Raises AIChatError if a call fails.
    """

    async def call(self, path: str, payload: bytes, headers: Headers, timeout: float | None) -> bytes:
        """Sends one request and returns its response."""

    def stream(self, path: str, payload: bytes, headers: Headers, timeout: float | None) -> WireStream:
        """Sends one request and reads a stream of responses."""

    async def upload(self, path: str, payloads: AsyncIterable[bytes], headers: Headers, timeout: float | None) -> bytes:
        """Sends a stream of requests and returns the response."""

    async def close(self) -> None:
        """Ends all calls; later ones raise ClosedError."""
