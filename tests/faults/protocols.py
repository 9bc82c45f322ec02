"""The same call in each protocol of the edge, and what its caller sees."""

from __future__ import annotations

import asyncio
import base64
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field

import grpc
import httpx
from aichat.v1 import chat_pb2_grpc
from google.protobuf.json_format import Parse
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from tests.fixtures.server import ApiKey
from tests.integration.conversations.asking import MODEL, asking

CHAT = "/aichat.v1.ChatService/StreamChat"
WEB = "application/grpc-web+proto"
OWN_CONNECTION = (("grpc.use_local_subchannel_pool", 1),)


@dataclass
class Seen:
    """What a caller saw of a call."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set once the answer has begun."""
    whole: bool = False
    """Whether it ended successfully."""
    code: str = ""
    """The name of its gRPC status; empty if the stream only broke."""
    reason: str = ""
    """The error's reason; empty without one."""
    retry_after: float | None = None
    """The seconds of RetryInfo."""
    ended: float = 0.0
    """When it ended, by the monotonic clock."""

    def failed(self, status: Status) -> None:
        """Records the failure."""
        self.code = next(code.name for code in grpc.StatusCode if code.value[0] == status.code)
        for detail in status.details:
            info, wait = ErrorInfo(), RetryInfo()
            if detail.Unpack(info):
                self.reason = info.reason
            elif detail.Unpack(wait):
                self.retry_after = wait.retry_delay.ToTimedelta().total_seconds()


Ask = Callable[[str, ApiKey, str, Seen], Coroutine[None, None, None]]


async def native(address: str, key: ApiKey, text: str, seen: Seen) -> None:
    """Chats over gRPC."""
    async with grpc.aio.insecure_channel(address, options=OWN_CONNECTION) as channel:
        stub: chat_pb2_grpc.ChatServiceAsyncStub = chat_pb2_grpc.ChatServiceStub(channel)
        try:
            async for _ in stub.StreamChat(asking(text), metadata=key.metadata):
                seen.begun.set()
            seen.whole = True
        except grpc.aio.AioRpcError as error:
            details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
            seen.failed(Status.FromString(details if isinstance(details, bytes) else b""))
            seen.code = error.code().name


async def grpc_web(address: str, key: ApiKey, text: str, seen: Seen) -> None:
    """Chats over gRPC-Web."""
    message = asking(text).SerializeToString()
    body = b"\0" + len(message).to_bytes(4, "big") + message
    async with (
        _http(address, key) as http,
        http.stream("POST", CHAT, content=body, headers={"content-type": WEB, "x-grpc-web": "1"}) as response,
    ):
        if details := response.headers.get("grpc-status-details-bin"):
            seen.failed(Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4))))
        async for _ in response.aiter_bytes():
            seen.begun.set()
        seen.whole = not seen.code


async def server_sent_events(address: str, key: ApiKey, text: str, seen: Seen) -> None:
    """Chats over server-sent events."""
    body = {"parts": [{"text": {"text": text}}], "model": MODEL}
    async with _http(address, key) as http, http.stream("POST", "/v1/chat:stream", json=body) as response:
        if response.status_code != httpx.codes.OK:
            _failed(response, await response.aread(), seen)
        async for _ in response.aiter_bytes():
            seen.begun.set()
        seen.whole = not seen.code


async def read(address: str, key: ApiKey, _text: str, seen: Seen) -> None:
    """Reads the models as JSON."""
    async with _http(address, key) as http:
        response = await http.get("/v1/models")
        if response.status_code != httpx.codes.OK:
            _failed(response, response.content, seen)
        seen.whole = not seen.code


CHATS = (native, grpc_web, server_sent_events)


def ask(group: asyncio.TaskGroup, how: Ask, address: str, key: ApiKey, text: str) -> Seen:
    """Makes the call in the background."""
    seen = Seen()

    async def call() -> None:
        try:
            await how(address, key, text, seen)
        except httpx.TransportError:
            """The connection broke."""
        seen.ended = time.monotonic()

    group.create_task(call())
    return seen


def _failed(response: httpx.Response, body: bytes, seen: Seen) -> None:
    status = Status()
    Parse(body, status)
    seen.failed(status)
    assert response.headers["retry-after"] == f"{seen.retry_after:.0f}"


def _http(address: str, key: ApiKey) -> httpx.AsyncClient:
    headers = {"authorization": dict(key.metadata)["authorization"]}
    return httpx.AsyncClient(base_url=f"http://{address}", headers=headers, timeout=60)
