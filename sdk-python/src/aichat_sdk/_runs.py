"""Runs a model with tools: calls what it calls, until it answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Generic, Self

from aichat_sdk._calling import call_all
from aichat_sdk._checking import refusal, wrong_integer
from aichat_sdk._output import Output, OutputT, output_of
from aichat_sdk._params import ChatParams
from aichat_sdk._reading import message_text, tool_calls
from aichat_sdk._request import tools_of
from aichat_sdk._stream import ChatStream
from aichat_sdk.content import ToolResult
from aichat_sdk.errors import AIChatError, ClosedError, ToolRoundsExceededError
from aichat_sdk.types import ChatEvent, Message, StopReason

OpenStream = Callable[[ChatParams], ChatStream]
Cancel = Callable[[str], Awaitable[object]]

_CLOSED = "the run was closed before its last answer"


class ToolRun(Generic[OutputT]):
    """The answers of a model that calls tools: iterate over the events of all of them, or over `text_stream`, or await
    the last one's message.

    Each answer that calls tools is a round: its functions are called at the same time, and their results are the next
    message of the same conversation.
    """

    def __init__(
        self,
        open_stream: OpenStream,
        cancel: Cancel,
        params: ChatParams,
        max_rounds: int,
        output: Output[OutputT] | None,
    ) -> None:
        if wrong := wrong_integer(max_rounds, 1, 2**31):
            raise refusal("max_rounds", wrong)
        self._open_stream = open_stream
        self._cancel = cancel
        self._output = output
        self._tools = {tool.name: tool for tool in tools_of(params.get("tools"))}
        for tool in self._tools.values():
            if tool.function is None:
                raise refusal("tools", f"must all have functions here; {tool.name} has none")
        self._events = self._run(params, max_rounds)
        self._stream: ChatStream | None = None
        self._messages: list[Message] = []
        self._complete = False
        self._failure: Exception | None = None
        self._reading = asyncio.Lock()
        self._scope: asyncio.Timeout | None = None

    @property
    def messages(self) -> list[Message]:
        """The answers so far, the last one included; each has its own usage and cost."""
        return list(self._messages)

    def __aiter__(self) -> AsyncIterator[ChatEvent]:
        return self

    async def __anext__(self) -> ChatEvent:
        async with self._reading:
            if self._failure is not None:
                raise self._failure
            # Its end never comes by itself: `close` sets it, in order to end a read.
            self._scope = scope = asyncio.timeout(None)
            try:
                async with scope:
                    return await anext(self._events)
            except StopAsyncIteration:
                raise
            except Exception as error:
                if scope.expired():
                    raise ClosedError(_CLOSED) from None
                self._failure = error
                raise
            finally:
                self._scope = None

    async def _run(self, params: ChatParams, max_rounds: int) -> AsyncGenerator[ChatEvent, None]:
        while True:
            async with self._open_stream(params) as self._stream:
                async for event in self._stream:
                    yield event
                message = await self._stream.get_final_message()
            self._messages.append(message)
            calls = tool_calls(message) if message.stop_reason is StopReason.TOOL_USE else []
            if not calls:
                self._complete = True
                return
            if len(self._messages) == max_rounds:
                raise ToolRoundsExceededError(max_rounds, message)
            params = _next(params, message, await call_all(calls, self._tools))

    @property
    def text_stream(self) -> AsyncIterator[str]:
        """The text of all answers, piece by piece."""
        return self._texts()

    async def _texts(self) -> AsyncIterator[str]:
        async for event in self:
            if event.text_delta is not None:
                yield event.text_delta.text

    async def get_final_message(self) -> Message:
        """Runs to the end and returns the last answer, which calls no tools.

        Raises ToolRoundsExceededError if the model still calls tools after the last round.
        """
        async for _ in self:
            pass
        if not self._complete:
            raise ClosedError("the run ended before its last answer")
        return self._messages[-1]

    async def get_final_text(self) -> str:
        """Runs to the end and returns the last answer's text."""
        return message_text(await self.get_final_message())

    async def get_final_output(self) -> OutputT:
        """Runs to the end and returns the last answer's value; raises AnswerInvalidError if it has none.

        Raises TypeError if the call had no `output_type`.
        """
        return output_of(self._output, await self.get_final_message())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Stops the run if it has not ended: stops its functions, and cancels the answer, which keeps what has arrived.

        Functions that run in a thread run to their end. Leaving the context closes it, too.
        """
        if self._scope is not None:
            self._scope.reschedule(0)
            self._scope = None
        async with self._reading:
            await self._events.aclose()
        if self._complete or self._failure is not None:
            return
        self._failure = ClosedError(_CLOSED)
        if self._stream is not None and self._stream.abandoned:
            # The answer may have ended, and the platform may be unreachable: the caller stops in any case.
            with suppress(AIChatError):
                await self._cancel(self._stream.generation_id)


def _next(params: ChatParams, message: Message, results: Sequence[ToolResult]) -> ChatParams:
    """Returns what to send after an answer that called tools."""
    following: ChatParams = {
        **params,
        "text": None,
        "parts": results,
        "conversation_id": message.conversation_id,
        "parent_message_id": message.message_id,
        "request_id": None,
    }
    if following.get("tool_choice") not in (None, "auto", "none"):
        # What the caller demands holds for the first answer: otherwise no answer would ever end the run.
        following["tool_choice"] = None
    return following
