"""Makes calls: encodes and decodes messages, names the key, retries what may be repeated."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Generic, TypeVar

import betterproto2

from aichat_sdk._encoding import MessageT, decode, encode
from aichat_sdk._methods import Method
from aichat_sdk._observing import Observed
from aichat_sdk._retry import Deadline, retrying
from aichat_sdk._settings import ClientSettings
from aichat_sdk._wire import Headers, Wire, WireStream
from aichat_sdk.errors import (
    AIChatError,
    AuthenticationError,
    ClosedError,
    ConnectionFailedError,
    DeadlineExceededError,
)

ResultT = TypeVar("ResultT")


class Transport:
    """Makes calls by one wire, with the same settings."""

    def __init__(self, settings: ClientSettings, wire: Wire) -> None:
        self.settings = settings
        self.wire = wire

    async def call(
        self, method: Method[MessageT], request: betterproto2.Message, *, timeout: float | None = None
    ) -> MessageT:
        """Sends one request and returns its response; retries a repeatable method while the platform is unavailable."""
        payload = encode(request)
        deadline = Deadline.after(self.settings.timeout if timeout is None else timeout)
        retries = self.settings.max_retries if method.repeatable else 0
        return await retrying(partial(self._call_once, method, payload, deadline), retries=retries, deadline=deadline)

    async def _call_once(self, method: Method[MessageT], payload: bytes, deadline: Deadline) -> MessageT:
        async def attempt() -> bytes:
            with Observed(method.path, self.settings.endpoint) as seen:
                headers = await self.headers(deadline) + seen.headers()
                return await self.wire.call(method.path, payload, headers, deadline.remaining())

        return decode(method.response, await self.renewing(attempt))

    def open_stream(self, method: Method[MessageT], payload: bytes, deadline: Deadline) -> Reader[MessageT]:
        """Returns what reads a stream of responses; its first read sends the request."""
        return Reader(self, method, payload, deadline)

    async def upload(self, method: Method[MessageT], requests: AsyncIterable[bytes], deadline: Deadline) -> MessageT:
        """Sends a stream of requests, once, and returns the response."""
        with Observed(method.path, self.settings.endpoint) as seen:
            headers = await self.headers(deadline) + seen.headers()
            response = await self.wire.upload(method.path, requests, headers, deadline.remaining())
        return decode(method.response, response)

    async def renewing(self, attempt: Callable[[], Awaitable[ResultT]]) -> ResultT:
        """Makes an attempt, and a second one if its key has expired and the next one may be another."""
        try:
            return await attempt()
        except AuthenticationError as error:
            if not self.settings.keys.renewed or error.reason != "CREDENTIALS_EXPIRED":
                raise
        return await attempt()

    async def headers(self, deadline: Deadline) -> Headers:
        """Returns the metadata of the next call, with the key."""
        try:
            async with asyncio.timeout(deadline.remaining()) as scope:
                key = await self.settings.keys.current()
        except TimeoutError:
            if not scope.expired():
                raise
            raise DeadlineExceededError("the function for the API key did not return within the timeout") from None
        return (("authorization", f"Bearer {key}"), *self.settings.metadata.items())

    async def close(self) -> None:
        """Closes the connection; open calls end with ClosedError."""
        await self.wire.close()


class Reader(Generic[MessageT]):
    """The responses of one streaming call, one at a time."""

    def __init__(self, transport: Transport, method: Method[MessageT], payload: bytes, deadline: Deadline) -> None:
        self._transport = transport
        self._method = method
        self._payload = payload
        self._deadline = deadline
        self._loop = asyncio.get_running_loop()
        self._stream: WireStream | None = None
        self._seen: Observed | None = None
        self._cancelled = False

    async def read(self) -> MessageT | None:
        """Returns the next response, None after the last.

        Raises ConnectionFailedError after `stall_timeout` of silence.
        """
        if self._loop is not asyncio.get_running_loop():
            raise ClosedError("the stream belongs to another event loop: read it in the one that opened it")
        settings = self._transport.settings
        try:
            async with asyncio.timeout(settings.stall_timeout) as scope:
                response = await (self._begin() if self._stream is None else self._stream.read())
        except TimeoutError:
            if not scope.expired():
                raise
            silent = ConnectionFailedError(
                f"nothing came from {settings.endpoint} for {settings.stall_timeout:g} s: the connection is considered "
                "dead"
            )
            self._end(silent)
            raise silent from None
        except BaseException as error:
            self._end(error)
            raise
        if response is None:
            self._end()
            return None
        return decode(self._method.response, response)

    async def _begin(self) -> bytes | None:
        return await self._transport.renewing(self._attempt)

    async def _attempt(self) -> bytes | None:
        self._seen = Observed(self._method.path, self._transport.settings.endpoint)
        try:
            headers = await self._transport.headers(self._deadline) + self._seen.headers()
            if self._cancelled:
                raise ClosedError("the stream was closed while it was opened")
            wire, timeout = self._transport.wire, self._deadline.remaining()
            self._stream = wire.stream(self._method.path, self._payload, headers, timeout)
            return await self._stream.read()
        except AIChatError as error:
            self._end(error)
            raise

    def _end(self, error: BaseException | None = None) -> None:
        if self._seen is not None:
            self._seen.end(error)

    def cancel(self) -> None:
        """Ends the call, if it is still open."""
        self._cancelled = True
        self._end()
        if self._stream is not None and not self._loop.is_closed():
            self._stream.cancel()

    def abandon(self) -> None:
        """Ends the call as `cancel` does; may be called in any thread."""
        with suppress(RuntimeError):  # the event loop has ended
            self._loop.call_soon_threadsafe(self.cancel)
