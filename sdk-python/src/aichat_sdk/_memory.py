"""Carries calls to a platform in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import betterproto2

from aichat_sdk._memory_answers import Generation
from aichat_sdk._memory_store import Store
from aichat_sdk._proto.aichat import v1
from aichat_sdk._proto.google.api import HttpBody
from aichat_sdk._wire import Headers
from aichat_sdk.errors import ClosedError, DeadlineExceededError


@dataclass(frozen=True, slots=True)
class Call:
    """One call."""

    rpc: str
    request: Any
    headers: Headers


@dataclass(slots=True)
class Memory:
    """What all clients of one platform share."""

    store: Store = field(default_factory=Store)
    calls: list[Call] = field(default_factory=list)
    replies: dict[str, list[betterproto2.Message]] = field(default_factory=dict)

    def arrived(self, path: str, payload: bytes, headers: Headers) -> Any:
        """Returns the request of a call, and notes it."""
        rpc = path.rpartition("/")[2]
        kind: type[betterproto2.Message] = getattr(v1, f"{rpc}Request")
        request = kind.parse(payload)
        self.calls.append(Call(rpc, request, tuple(pair for pair in headers if pair[0] != "authorization")))
        return request

    def response(self, request: Any) -> betterproto2.Message:
        """Returns the scripted response, or what is stored; raises AssertionError if there is neither."""
        rpc = type(request).__name__.removesuffix("Request")
        if self.replies.get(rpc):
            return self.replies[rpc].pop(0)
        found = self.store.response(request)
        if found is None:
            raise AssertionError(f"nothing is scripted for {rpc}: call platform.reply({rpc!r}, …) first")
        return found

    def responses(self, request: Any) -> AsyncIterator[betterproto2.Message]:
        """Returns the events of an answer, or the pieces of a file."""
        match request:
            case v1.StreamChatRequest():
                return self.store.begin(request).events(0)
            case v1.ResumeChatRequest():
                found: Generation = self.store.generation(request.generation_id)
                return found.events(request.after_sequence)
            case v1.DownloadFileRequest():
                body = HttpBody(data=self.store.content(request.file_id))
                return _one(v1.DownloadFileResponse(content=body))
        return _one(self.response(request))


class MemoryWire:
    """The connection of one client."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._closed = False
        self._streams: list[MemoryStream] = []

    async def call(self, path: str, payload: bytes, headers: Headers, timeout: float | None) -> bytes:  # noqa: ARG002
        """Returns the response at once."""
        self._check()
        return bytes(self._memory.response(self._memory.arrived(path, payload, headers)))

    def stream(self, path: str, payload: bytes, headers: Headers, timeout: float | None) -> MemoryStream:
        """Returns the responses."""
        self._check()
        stream = MemoryStream(self._memory.responses(self._memory.arrived(path, payload, headers)), timeout)
        self._streams.append(stream)
        return stream

    async def upload(
        self,
        path: str,
        payloads: AsyncIterable[bytes],
        headers: Headers,
        timeout: float | None,  # noqa: ARG002
    ) -> bytes:
        """Keeps a file."""
        self._check()
        self._memory.arrived(path, b"", headers)
        bodies = [v1.UploadFileRequest.parse(payload).content async for payload in payloads]
        file = self._memory.store.keep(b"".join(body.data for body in bodies if body is not None))
        scripted = self._memory.replies.get("UploadFile")
        return bytes(scripted.pop(0) if scripted else v1.UploadFileResponse(file=file))

    async def close(self) -> None:
        """Ends all calls."""
        self._closed = True
        for stream in self._streams:
            stream.cancel()

    def _check(self) -> None:
        if self._closed:
            raise ClosedError("the client is closed: make the call inside its `with` block, or before close()")


class MemoryStream:
    """The responses of one streaming call."""

    def __init__(self, responses: AsyncIterator[betterproto2.Message], timeout: float | None) -> None:
        self._responses = responses
        self._end = None if timeout is None else asyncio.get_running_loop().time() + timeout
        self._scope: asyncio.Timeout | None = None
        self._cancelled = False

    async def read(self) -> bytes | None:
        """Returns the next response, None after the last."""
        if self._cancelled:
            raise ClosedError("the client or the stream was closed during the call")
        try:
            async with asyncio.timeout_at(self._end) as self._scope:
                response = await anext(self._responses, None)
        except TimeoutError:
            if self._cancelled:
                raise ClosedError("the client or the stream was closed during the call") from None
            raise DeadlineExceededError("the platform did not finish the call within its timeout") from None
        finally:
            self._scope = None
        return None if response is None else bytes(response)

    def cancel(self) -> None:
        """Ends the call, if it is still open."""
        self._cancelled = True
        if self._scope is not None:
            self._scope.reschedule(0)


async def _one(response: betterproto2.Message) -> AsyncIterator[betterproto2.Message]:
    yield response
