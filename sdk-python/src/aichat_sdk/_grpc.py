"""Calls by gRPC: every failure becomes an AIChatError."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager
from typing import ClassVar

import grpc

from aichat_sdk._settings import Target
from aichat_sdk._status import error_of
from aichat_sdk._upload import send_all
from aichat_sdk._version import __version__
from aichat_sdk._wire import Headers
from aichat_sdk.errors import ClosedError, DeadlineExceededError

# The client detects a dead connection within 15 s: it pings after this silence and waits for the reply.
PING_SECONDS = 5
PING_TIMEOUT_SECONDS = 10
CONNECT_SECONDS = 10
MOST_RESPONSE_BYTES = 64 << 20


class GrpcWire:
    """One connection to the platform, opened by the first call."""

    _process: ClassVar[int | None] = None
    """The process whose threads serve gRPC. A fork has none of them, and a call in it would never end."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._channel: grpc.aio.Channel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def call(self, path: str, payload: bytes, headers: Headers, timeout: float | None) -> bytes:
        """Sends one request and returns its response."""
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._open_channel().unary_unary(path)
        with _typed_failures(self._target.endpoint):
            return await call(payload, metadata=headers, timeout=timeout)

    def stream(self, path: str, payload: bytes, headers: Headers, timeout: float | None) -> GrpcStream:
        """Sends one request and reads a stream of responses."""
        call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self._open_channel().unary_stream(path)
        return GrpcStream(call(payload, metadata=headers, timeout=timeout), self._target.endpoint)

    async def upload(self, path: str, payloads: AsyncIterable[bytes], headers: Headers, timeout: float | None) -> bytes:
        """Sends a stream of requests and returns the response."""
        opened: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = self._open_channel().stream_unary(path)
        call = opened(metadata=headers, timeout=timeout)
        try:
            with _typed_failures(self._target.endpoint):
                async with asyncio.timeout(timeout):
                    return await send_all(call, payloads)
        except TimeoutError:
            raise DeadlineExceededError("the file was not sent within its timeout") from None
        finally:
            call.cancel()

    async def close(self) -> None:
        """Closes the connection; open calls end with ClosedError."""
        channel = self._channel if self._in_its_loop() else None
        self._closed = True
        if channel is not None:
            await channel.close()

    def _open_channel(self) -> grpc.aio.Channel:
        if self._closed:
            raise ClosedError("the client is closed: make the call inside its `with` block, or before close()")
        if GrpcWire._process not in (None, os.getpid()):
            raise ClosedError(
                "the process was forked after a client had been in use: make the first call after the fork, or start "
                "processes by `spawn`"
            )
        GrpcWire._process = os.getpid()
        if self._channel is None or not self._in_its_loop():
            self._channel, self._loop = _connect(self._target), asyncio.get_running_loop()
        return self._channel

    def _in_its_loop(self) -> bool:
        """Whether the connection belongs to the running event loop. If not, it ended together with its own loop.

        Raises ClosedError if its own loop is still open: a gRPC connection works in one loop only.
        """
        if self._loop is asyncio.get_running_loop():
            return True
        if self._loop is not None and not self._loop.is_closed():
            raise ClosedError(
                "the client is in use in another event loop, which has not ended: make a client for each event loop"
            )
        return False


class GrpcStream:
    """The responses of one streaming call."""

    def __init__(self, call: grpc.aio.UnaryStreamCall[bytes, bytes], endpoint: str) -> None:
        self._call = call
        self._responses = aiter(call)
        self._endpoint = endpoint

    async def read(self) -> bytes | None:
        """Returns the next response, None after the last."""
        with _typed_failures(self._endpoint):
            return await anext(self._responses, None)

    def cancel(self) -> None:
        """Ends the call, if it is still open."""
        self._call.cancel()


def _connect(target: Target) -> grpc.aio.Channel:
    options: dict[str, str | int] = {
        "grpc.primary_user_agent": f"aichat-sdk-python/{__version__}",
        "grpc.keepalive_time_ms": PING_SECONDS * 1000,
        # gRPC 1.85 uses the second one, whose default is a minute.
        "grpc.keepalive_timeout_ms": PING_TIMEOUT_SECONDS * 1000,
        "grpc.http2.ping_timeout_ms": PING_TIMEOUT_SECONDS * 1000,
        # 0 means no limit: otherwise gRPC would slow down to one ping a minute after two pings.
        "grpc.http2.max_pings_without_data": 0,
        # Without this the window is 64 KiB at most, so that a slow line delivers it before the reply to a ping is late.
        "grpc.http2.bdp_probe": 0,
        "grpc.min_reconnect_backoff_ms": CONNECT_SECONDS * 1000,
        # The default would reconnect later than the first retries.
        "grpc.initial_reconnect_backoff_ms": 200,
        "grpc.max_reconnect_backoff_ms": 5000,
        # A page of long messages is larger than gRPC's default of 4 MiB.
        "grpc.max_receive_message_length": MOST_RESPONSE_BYTES,
        **target.proxy_options(),
        **target.channel_options,
    }
    given = list(options.items())
    if target.tls is not None:
        return grpc.aio.secure_channel(target.endpoint, target.tls.credentials(), options=given)
    return grpc.aio.insecure_channel(target.endpoint, options=given)


@contextmanager
def _typed_failures(endpoint: str) -> Iterator[None]:
    try:
        yield
    except grpc.aio.AioRpcError as error:
        raise error_of(error, endpoint) from error
    except asyncio.CancelledError:
        # gRPC also raises this when the call is cancelled and the task is not.
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ClosedError("the client or the stream was closed during the call") from None
