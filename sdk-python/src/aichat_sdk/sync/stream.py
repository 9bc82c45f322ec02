"""The stream of one answer. Generated from _stream.py: do not edit."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Generic, Self

from aichat_sdk._output import OutputT
from aichat_sdk._portal import Portal
from aichat_sdk._stream import AnswerStream as AsyncAnswerStream
from aichat_sdk._stream import ChatStream as AsyncChatStream
from aichat_sdk.types import ChatEvent, ChatStarted, ChatUsage, Message

__all__ = ["AnswerStream", "ChatStream"]


class AnswerStream:
    """An answer's stream: iterate over its events, or over `text_stream`, or take its final message.

    All three read the same stream: each event is read once. The server continues to write and store the answer when its
    reader stops early. `with` opens and closes it; elsewhere the first read opens it, and `close` closes it. A
    stream that is dropped while it is open warns, and ends its call.
    """

    def __init__(self, inner: AsyncAnswerStream, portal: Portal) -> None:
        self._inner = inner
        self._portal = portal

    @property
    def generation_id(self) -> str:
        """The answer's id, for `client.chat.resume` and `client.chat.cancel`; raises ClosedError before it is open."""
        return self._inner.generation_id

    @property
    def abandoned(self) -> bool:
        """Whether the stream was closed before the answer's end."""
        return self._inner.abandoned

    @property
    def usage(self) -> ChatUsage | None:
        """The latest usage and cost read from the stream; None until the server has sent any.

        An estimate while `usage.estimated`, then the vendor's figure.
        """
        return self._inner.usage

    def open(self) -> Self:
        """Sends the message, unless that is done, and returns the stream once its answer has begun."""
        self._portal.run(self._inner.open())
        return self

    def __iter__(self) -> Iterator[ChatEvent]:
        return self

    def __next__(self) -> ChatEvent:
        return self._portal.next(self._inner)

    @property
    def text_stream(self) -> Iterator[str]:
        """The answer's text, piece by piece."""
        return self._portal.iterate(self._inner.text_stream)

    def get_final_message(self) -> Message:
        """Reads the stream to its end and returns the answer as stored, with stop reason, usage and cost."""
        return self._portal.run(self._inner.get_final_message())

    def get_final_text(self) -> str:
        """Reads the stream to its end and returns the answer's text."""
        return self._portal.run(self._inner.get_final_text())

    def close(self) -> None:
        """Ends the call if the answer has not ended; later reads raise ClosedError.

        Leaving the context closes it, too.
        """
        self._portal.finish(self._inner.close())

    def __enter__(self) -> Self:
        self._portal.run(self._inner.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class ChatStream(AnswerStream, Generic[OutputT]):
    """The stream of the answer to a message that is sent when the stream is opened."""

    def __init__(self, inner: AsyncChatStream[OutputT], portal: Portal) -> None:
        super().__init__(inner, portal)
        self._inner: AsyncChatStream[OutputT] = inner

    @property
    def started(self) -> ChatStarted:
        """The model that answers, and the ids of the generation, the conversation, the message and its answer.

        Raises ClosedError before it is open.
        """
        return self._inner.started

    def get_final_output(self) -> OutputT:
        """Reads the stream to its end and returns the answer's value; raises AnswerInvalidError if it has none.

        Raises TypeError if the call had no `output_type`.
        """
        return self._portal.run(self._inner.get_final_output())
