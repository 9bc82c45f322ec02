"""Runs a model with tools: calls what it calls, until it answers. Generated from _runs.py: do not edit."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Generic, Self

from aichat_sdk._output import OutputT
from aichat_sdk._portal import Portal
from aichat_sdk._runs import ToolRun as AsyncToolRun
from aichat_sdk.types import ChatEvent, Message

__all__ = ["ToolRun"]


class ToolRun(Generic[OutputT]):
    """The answers of a model that calls tools: iterate over the events of all of them, or over `text_stream`, or await
    the last one's message.

    Each answer that calls tools is a round: its functions are called at the same time, and their results are the next
    message of the same conversation.
    """

    def __init__(self, inner: AsyncToolRun[OutputT], portal: Portal) -> None:
        self._inner = inner
        self._portal = portal

    @property
    def messages(self) -> list[Message]:
        """The answers so far, the last one included; each has its own usage and cost."""
        return self._inner.messages

    def __iter__(self) -> Iterator[ChatEvent]:
        return self

    def __next__(self) -> ChatEvent:
        return self._portal.next(self._inner)

    @property
    def text_stream(self) -> Iterator[str]:
        """The text of all answers, piece by piece."""
        return self._portal.iterate(self._inner.text_stream)

    def get_final_message(self) -> Message:
        """Runs to the end and returns the last answer, which calls no tools.

        Raises ToolRoundsExceededError if the model still calls tools after the last round.
        """
        return self._portal.run(self._inner.get_final_message())

    def get_final_text(self) -> str:
        """Runs to the end and returns the last answer's text."""
        return self._portal.run(self._inner.get_final_text())

    def get_final_output(self) -> OutputT:
        """Runs to the end and returns the last answer's value; raises AnswerInvalidError if it has none.

        Raises TypeError if the call had no `output_type`.
        """
        return self._portal.run(self._inner.get_final_output())

    def __enter__(self) -> Self:
        self._portal.run(self._inner.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops the run if it has not ended: stops its functions, and cancels the answer, which keeps what has arrived.

        Functions that run in a thread run to their end. Leaving the context closes it, too.
        """
        self._portal.finish(self._inner.close())
