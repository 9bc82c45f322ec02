"""The address and headers of a vendor's requests: its SDK is asked once for each model.

The SDK has its vendor's paths, versions and headers, and reads the environment variables that its users know. The head
of its requests for one model is always the same, and building it costs the SDK a millisecond of CPU each time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx2
from multidict import CIMultiDict
from yarl import URL

# Headers of one request, or of its connection. Deltas are too small for compression.
_NOT_OF_ALL = ("host", "connection", "content-length", "accept-encoding")
_ALSO_OF_ALL = {"accept-encoding": "identity"}


@dataclass(frozen=True, slots=True)
class RequestHead:
    """A request without its body."""

    url: URL
    headers: CIMultiDict[str]


class RequestHeads:
    """The heads of one SDK's requests."""

    def __init__(self) -> None:
        self._transport = _KeepingTransport()
        self.client = httpx2.AsyncClient(transport=self._transport, trust_env=False)
        """The HTTP client for the SDK. It sends nothing."""
        self._heads: dict[str, RequestHead] = {}
        self._asking = asyncio.Lock()

    async def get(self, model: str, ask: Callable[[str], Awaitable[object]]) -> RequestHead:
        """Returns the head of requests for `model`. `ask` has the SDK send one such request."""
        head = self._heads.get(model)
        if head is not None:
            return head
        async with self._asking:
            await ask(model)
            head = self._heads[model] = _head(self._transport.request)
        return head


class _KeepingTransport(httpx2.AsyncBaseTransport):
    """Records the last request instead of sending it, and returns an empty response."""

    request: httpx2.Request

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        self.request = request
        return httpx2.Response(httpx2.codes.OK)


def _head(request: httpx2.Request) -> RequestHead:
    headers = CIMultiDict(request.headers.multi_items())
    for name in _NOT_OF_ALL:
        headers.popall(name, None)
    headers.update(_ALSO_OF_ALL)
    return RequestHead(URL(str(request.url)), headers)
