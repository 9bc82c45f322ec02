"""The stream of one answer."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Generic, Self

from aichat_sdk._encoding import encode
from aichat_sdk._methods import STREAM_CHAT
from aichat_sdk._output import Output, OutputT, output_of
from aichat_sdk._proto.aichat.v1 import StreamChatRequest
from aichat_sdk._resume import ResumingReader
from aichat_sdk._retry import Deadline, retrying
from aichat_sdk._transport import Transport
from aichat_sdk.errors import AIChatError, ClosedError, ServerError
from aichat_sdk.types import ChatEvent, ChatStarted, ChatUsage, Message, message_text

Begun = tuple[ResumingReader, ChatEvent | None]
"""What reads an answer's events, and the first of them if it has been read."""


class AnswerStream:
    """An answer's stream: iterate over its events, or over `text_stream`, or await its final message.

    All three read the same stream: each event is read once. The server continues to write and store the answer when its
    reader stops early. `async with` opens and closes it; elsewhere the first read opens it, and `close` closes it. A
    stream that is dropped while it is open warns, and ends its call.
    """

    def __init__(self, begin: Callable[[], Awaitable[Begun]], generation_id: str | None = None) -> None:
        self._begin = begin
        self._generation_id = generation_id
        self._opening = asyncio.Lock()
        self._reading = asyncio.Lock()
        """Lets several readers take turns."""
        self._scope: asyncio.Timeout | None = None
        self._reader: ResumingReader | None = None
        self._unread: ChatEvent | None = None
        self._message: Message | None = None
        self._usage: ChatUsage | None = None
        self._ended = False
        self._failure: Exception | None = None
        self._conversation_id: str | None = None

    @property
    def generation_id(self) -> str:
        """The answer's id, for `client.chat.resume` and `client.chat.cancel`; raises ClosedError before it is open."""
        if self._generation_id is None:
            raise ClosedError("the answer has not begun: enter the stream's block, open the stream, or read it")
        return self._generation_id

    @property
    def abandoned(self) -> bool:
        """Whether the stream was closed before the answer's end."""
        return isinstance(self._failure, ClosedError)

    @property
    def usage(self) -> ChatUsage | None:
        """The latest usage and cost read from the stream; None until the server has sent any.

        An estimate while `usage.estimated`, then the vendor's figure.
        """
        return self._usage

    async def open(self) -> Self:
        """Sends the message, unless that is done, and returns the stream once its answer has begun."""
        await self._opened()
        return self

    async def _opened(self) -> ResumingReader:
        async with self._opening:
            if self._failure is not None:
                raise self._failure
            if self._reader is None:
                try:
                    await self._open()
                except Exception as error:
                    self._failure = error
                    raise
                except asyncio.CancelledError:
                    await self.close()
                    raise
        assert self._reader is not None  # noqa: S101 — it is open, or the failure was raised
        return self._reader

    async def _open(self) -> None:
        try:
            # Its end never comes by itself: `close` sets it, in order to end the opening.
            async with asyncio.timeout(None) as scope:
                self._scope = scope
                self._reader, self._unread = await self._begin()
        except TimeoutError:
            if not self._ended:
                raise
            raise ClosedError("the stream was closed while it was opened") from None
        finally:
            self._scope = None
        self._generation_id = self._reader.generation_id
        if self._unread is not None and self._unread.started is not None:
            self._conversation_id = self._unread.started.conversation_id

    def __aiter__(self) -> AsyncIterator[ChatEvent]:
        return self

    async def __anext__(self) -> ChatEvent:
        async with self._reading:
            return await self._next()

    async def _next(self) -> ChatEvent:
        if self._ended and self._message is not None:
            raise StopAsyncIteration
        reader = await self._opened()
        if self._unread is not None:
            event, self._unread = self._unread, None
            return event
        try:
            return await self._next_event(reader)
        except AIChatError as error:
            self._failure = self._of_this_answer(error)
            raise
        except asyncio.CancelledError:
            await self.close()
            raise

    async def _next_event(self, reader: ResumingReader) -> ChatEvent:
        event = await self._read(reader)
        if event is None:
            self._ended = True
            if self._message is None:
                raise ServerError("the server ended the stream before its last event")
            raise StopAsyncIteration
        if event.started is not None:
            self._conversation_id = event.started.conversation_id
        elif event.usage is not None:
            self._usage = event.usage
        elif event.completed is not None:
            self._message = event.completed.message
            if self._message is not None:
                self._usage = ChatUsage(usage=self._message.usage, cost=self._message.cost)
        return event

    async def _read(self, reader: ResumingReader) -> ChatEvent | None:
        try:
            return await reader.read()
        except AIChatError:
            # The answer is complete and stored: how the connection ends does not matter any more.
            if self._message is not None:
                return None
            raise

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """The answer's text, piece by piece."""
        return self._texts()

    async def _texts(self) -> AsyncIterator[str]:
        async for event in self:
            if event.text_delta is not None:
                yield event.text_delta.text

    async def get_final_message(self) -> Message:
        """Reads the stream to its end and returns the answer as stored, with stop reason, usage and cost."""
        async for _ in self:
            pass
        if self._message is None:
            raise self._of_this_answer(ServerError("the server's last event has no message"))
        return self._message

    async def get_final_text(self) -> str:
        """Reads the stream to its end and returns the answer's text."""
        return message_text(await self.get_final_message())

    async def close(self) -> None:
        """Ends the call if the answer has not ended; later reads raise ClosedError.

        Leaving the context closes it, too.
        """
        if self._scope is not None:
            self._scope.reschedule(0)
            self._scope = None
        if self._reader is not None:
            self._reader.cancel()
        self._unread = None
        self._ended = True
        if self._message is None and self._failure is None:
            self._failure = self._of_this_answer(ClosedError("the stream was closed before the answer's end"))

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __del__(self) -> None:
        if self._reader is not None and not self._ended and self._failure is None:
            warnings.warn(f"the stream of {self._generation_id} was not closed", ResourceWarning, 2, source=self)
            self._reader.abandon()

    def _of_this_answer(self, error: AIChatError) -> AIChatError:
        """Returns the error with the ids that find, resume and cancel the answer."""
        error.generation_id = self._generation_id or error.generation_id
        error.conversation_id = error.conversation_id or self._conversation_id
        return error


class ChatStream(AnswerStream, Generic[OutputT]):
    """The stream of the answer to a message that is sent when the stream is opened."""

    def __init__(self, begin: Callable[[], Awaitable[Begun]], output: Output[OutputT] | None = None) -> None:
        super().__init__(begin)
        self._output = output
        self._started: ChatStarted | None = None

    async def _open(self) -> None:
        await super()._open()
        self._started = None if self._unread is None else self._unread.started

    @property
    def started(self) -> ChatStarted:
        """The model that answers, and the ids of the generation, the conversation, the message and its answer.

        Raises ClosedError before it is open.
        """
        if self._started is None:
            raise ClosedError("the answer has not begun: enter the stream's block, open the stream, or read it")
        return self._started

    async def get_final_output(self) -> OutputT:
        """Reads the stream to its end and returns the answer's value; raises AnswerInvalidError if it has none.

        Raises TypeError if the call had no `output_type`.
        """
        return output_of(self._output, await self.get_final_message())


async def begin_answer(transport: Transport, request: StreamChatRequest, *, timeout: float | None) -> Begun:
    """Sends a message; retries the call until the first event has arrived."""
    payload = encode(request)
    deadline = Deadline.after(timeout)
    attempt = partial(_attempt, transport, payload, deadline)
    return await retrying(attempt, retries=transport.settings.max_retries, deadline=deadline)


async def _attempt(transport: Transport, payload: bytes, deadline: Deadline) -> Begun:
    reader = transport.open_stream(STREAM_CHAT, payload, deadline)
    try:
        first = await reader.read()
        while first is not None and first.heartbeat is not None:
            first = await reader.read()
        if first is None or first.started is None:
            raise ServerError("the server did not begin the stream with `started`")
    except BaseException:
        reader.cancel()
        raise
    return ResumingReader(transport, first.started.generation_id, 1, deadline, reader), first


async def begin_resumption(
    transport: Transport, generation_id: str, after_sequence: int, *, timeout: float | None
) -> Begun:
    """Begins to read the rest of an answer; the first read makes the call."""
    return ResumingReader(transport, generation_id, after_sequence, Deadline.after(timeout)), None
