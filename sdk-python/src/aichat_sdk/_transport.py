"""The gRPC channel: sends and receives bytes, and turns every failure into an AIChatError."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import ClassVar, Generic

import betterproto2
import grpc

from aichat_sdk._encoding import MessageT, decode, encode
from aichat_sdk._methods import Method
from aichat_sdk._retry import Deadline, retrying
from aichat_sdk._settings import ClientSettings, is_loopback
from aichat_sdk._status import error_of
from aichat_sdk._upload import send_all
from aichat_sdk._version import __version__
from aichat_sdk.errors import ClosedError, ConnectionFailedError, DeadlineExceededError

# The client detects a dead connection within 15 s: it pings after this silence and waits for the reply.
PING_SECONDS = 5
PING_TIMEOUT_SECONDS = 10
CONNECT_SECONDS = 10
MOST_RESPONSE_BYTES = 64 << 20


class Transport:
    """One connection to the platform, opened by the first call."""

    _process: ClassVar[int | None] = None
    """The process whose threads serve gRPC. A fork has none of them, and a call in it would never end."""

    def __init__(self, settings: ClientSettings) -> None:
        self.settings = settings
        self._metadata = (("authorization", f"Bearer {settings.api_key}"),)
        self._channel: grpc.aio.Channel | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed = False

    async def call(
        self, method: Method[MessageT], request: betterproto2.Message, *, timeout: float | None = None
    ) -> MessageT:
        """Sends one request and returns its response; retries a repeatable method while the platform is unavailable."""
        payload = encode(request)
        deadline = Deadline.after(self.settings.timeout if timeout is None else timeout)
        retries = self.settings.max_retries if method.repeatable else 0
        return await retrying(partial(self._call_once, method, payload, deadline), retries=retries, deadline=deadline)

    async def _call_once(self, method: Method[MessageT], payload: bytes, deadline: Deadline) -> MessageT:
        call: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = self._open_channel().unary_unary(method.path)
        with _typed_failures(self.settings.endpoint):
            response = await call(payload, metadata=self._metadata, timeout=deadline.remaining())
        return decode(method.response, response)

    def open_stream(self, method: Method[MessageT], payload: bytes, deadline: Deadline) -> Reader[MessageT]:
        """Sends one request and reads a stream of responses."""
        call: grpc.aio.UnaryStreamMultiCallable[bytes, bytes] = self._open_channel().unary_stream(method.path)
        return Reader(call(payload, metadata=self._metadata, timeout=deadline.remaining()), method, self.settings)

    async def upload(self, method: Method[MessageT], requests: AsyncIterable[bytes], deadline: Deadline) -> MessageT:
        """Sends a stream of requests, once, and returns the response."""
        opened: grpc.aio.StreamUnaryMultiCallable[bytes, bytes] = self._open_channel().stream_unary(method.path)
        call = opened(metadata=self._metadata, timeout=deadline.remaining())
        try:
            with _typed_failures(self.settings.endpoint):
                async with asyncio.timeout(deadline.remaining()):
                    response = await send_all(call, requests)
        except TimeoutError:
            raise DeadlineExceededError("the file was not sent within its timeout") from None
        finally:
            call.cancel()
        return decode(method.response, response)

    async def close(self) -> None:
        """Closes the connection; open calls end with ClosedError."""
        channel = self._channel if self._in_its_loop() else None
        self._closed = True
        if channel is not None:
            await channel.close()

    def _open_channel(self) -> grpc.aio.Channel:
        if self._closed:
            raise ClosedError("the client is closed: make the call inside its `async with` block, or before close()")
        if Transport._process not in (None, os.getpid()):
            raise ClosedError(
                "the process was forked after a client had been in use: make the first call after the fork, or start "
                "processes by `spawn`"
            )
        Transport._process = os.getpid()
        if self._channel is None or not self._in_its_loop():
            self._channel, self._loop = _connect(self.settings), asyncio.get_running_loop()
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


class Reader(Generic[MessageT]):
    """The responses of one streaming call, one at a time."""

    def __init__(
        self, call: grpc.aio.UnaryStreamCall[bytes, bytes], method: Method[MessageT], settings: ClientSettings
    ) -> None:
        self._call = call
        self._loop = asyncio.get_running_loop()
        self._responses = aiter(call)
        self._method = method
        self._settings = settings

    async def read(self) -> MessageT | None:
        """Returns the next response, None after the last.

        Raises ConnectionFailedError after `stall_timeout` of silence.
        """
        if self._loop is not asyncio.get_running_loop():
            raise ClosedError("the stream belongs to another event loop: read it in the one that opened it")
        try:
            async with asyncio.timeout(self._settings.stall_timeout):
                with _typed_failures(self._settings.endpoint):
                    response = await anext(self._responses, None)
        except TimeoutError:
            raise ConnectionFailedError(
                f"nothing came from {self._settings.endpoint} for {self._settings.stall_timeout:g} s: the connection "
                "is considered dead"
            ) from None
        return None if response is None else decode(self._method.response, response)

    def cancel(self) -> None:
        """Ends the call, if it is still open."""
        if not self._loop.is_closed():
            self._call.cancel()

    def abandon(self) -> None:
        """Ends the call as `cancel` does; may be called in any thread."""
        with suppress(RuntimeError):  # the event loop has ended
            self._loop.call_soon_threadsafe(self._call.cancel)


def _connect(settings: ClientSettings) -> grpc.aio.Channel:
    options: list[tuple[str, str | int]] = [
        ("grpc.primary_user_agent", f"aichat-sdk-python/{__version__}"),
        ("grpc.keepalive_time_ms", PING_SECONDS * 1000),
        # gRPC 1.85 uses the second one, whose default is a minute.
        ("grpc.keepalive_timeout_ms", PING_TIMEOUT_SECONDS * 1000),
        ("grpc.http2.ping_timeout_ms", PING_TIMEOUT_SECONDS * 1000),
        # 0 means no limit: otherwise gRPC would slow down to one ping a minute after two pings.
        ("grpc.http2.max_pings_without_data", 0),
        # Without this the window is 64 KiB at most, so that a slow line delivers it before the reply to a ping is late.
        ("grpc.http2.bdp_probe", 0),
        ("grpc.min_reconnect_backoff_ms", CONNECT_SECONDS * 1000),
        # The default would reconnect later than the first retries.
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 5000),
        # A page of long messages is larger than gRPC's default of 4 MiB.
        ("grpc.max_receive_message_length", MOST_RESPONSE_BYTES),
    ]
    if is_loopback(settings.endpoint):
        # A proxy from the environment cannot reach this machine.
        options.append(("grpc.enable_http_proxy", 0))
    if settings.secure:
        return grpc.aio.secure_channel(settings.endpoint, grpc.ssl_channel_credentials(), options=options)
    return grpc.aio.insecure_channel(settings.endpoint, options=options)


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
