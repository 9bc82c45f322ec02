"""The stream of one answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Generic

from aichat_sdk._encoding import encode
from aichat_sdk._methods import STREAM_CHAT
from aichat_sdk._output import Output, OutputT, output_of
from aichat_sdk._proto.aichat.v1 import StreamChatRequest
from aichat_sdk._resume import ResumingReader
from aichat_sdk._retry import Deadline, retrying
from aichat_sdk._transport import Transport
from aichat_sdk.errors import AIChatError, ClosedError, ServerError
from aichat_sdk.types import ChatEvent, ChatStarted, ChatUsage, Message, message_text


class AnswerStream:
    """An answer's stream: iterate over its events, or over `text_stream`, or await its final message.

    All three read the same stream: each event is read once. The server continues to write and store the answer when its
    reader stops early.
    """

    def __init__(self, reader: ResumingReader, first: ChatEvent | None = None) -> None:
        self._reader = reader
        self._unread = first
        self._message: Message | None = None
        self._usage: ChatUsage | None = None
        self._ended = False
        self._failure: AIChatError | None = None
        self._conversation_id: str | None = None

    @property
    def generation_id(self) -> str:
        """The answer's id, for `client.chat.resume` and `client.chat.cancel`."""
        return self._reader.generation_id

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

    def __aiter__(self) -> AsyncIterator[ChatEvent]:
        return self

    async def __anext__(self) -> ChatEvent:
        if self._unread is not None:
            event, self._unread = self._unread, None
            return event
        if self._failure is not None:
            raise self._failure
        if self._ended:
            raise StopAsyncIteration
        try:
            return await self._next_event()
        except AIChatError as error:
            self._failure = self._of_this_answer(error)
            raise
        except asyncio.CancelledError:
            await self.close()
            raise

    async def _next_event(self) -> ChatEvent:
        event = await self._read()
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

    async def _read(self) -> ChatEvent | None:
        try:
            return await self._reader.read()
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
        self._reader.cancel()
        self._unread = None
        self._ended = True
        if self._message is None and self._failure is None:
            self._failure = self._of_this_answer(ClosedError("the stream was closed before the answer's end"))

    def _of_this_answer(self, error: AIChatError) -> AIChatError:
        """Returns the error with the ids that find, resume and cancel the answer."""
        error.generation_id = self.generation_id
        error.conversation_id = error.conversation_id or self._conversation_id
        return error


class ChatStream(AnswerStream, Generic[OutputT]):
    """The stream of the answer to a message that was just sent."""

    def __init__(
        self, reader: ResumingReader, first: ChatEvent, started: ChatStarted, output: Output[OutputT] | None = None
    ) -> None:
        super().__init__(reader, first)
        self._conversation_id = started.conversation_id
        self._output = output
        self.started = started
        """The model that answers, and the ids of the generation, the conversation, the message and its answer."""

    async def get_final_output(self) -> OutputT:
        """Reads the stream to its end and returns the answer's value; raises AnswerInvalidError if it has none.

        Raises TypeError if the call had no `output_type`.
        """
        return output_of(self._output, await self.get_final_message())


async def open_stream(
    transport: Transport,
    request: StreamChatRequest,
    output: Output[OutputT] | None,
    *,
    timeout: float | None,
) -> ChatStream[OutputT]:
    """Sends a message and returns its answer's stream; retries the call until the first event has arrived."""
    payload = encode(request)
    deadline = Deadline.after(timeout)

    async def attempt() -> ChatStream[OutputT]:
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
        started = first.started
        return ChatStream(ResumingReader(transport, started.generation_id, 1, deadline, reader), first, started, output)

    return await retrying(attempt, retries=transport.settings.max_retries, deadline=deadline)


def resume_stream(
    transport: Transport, generation_id: str, after_sequence: int, *, timeout: float | None
) -> AnswerStream:
    """Returns the rest of an answer's stream; the first read makes the call."""
    return AnswerStream(ResumingReader(transport, generation_id, after_sequence, Deadline.after(timeout)))
