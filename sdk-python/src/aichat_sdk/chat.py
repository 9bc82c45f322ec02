"""Chats with models."""

from __future__ import annotations

from functools import partial
from typing import Any, Unpack, overload

from aichat_sdk._checking import options
from aichat_sdk._methods import CANCEL_GENERATION, COUNT_TOKENS
from aichat_sdk._output import Output, OutputT, TypedAnswer
from aichat_sdk._proto.aichat.v1 import CancelGenerationRequest
from aichat_sdk._request import chat_request, count_request
from aichat_sdk._runs import ToolRun
from aichat_sdk._sending import Upload
from aichat_sdk._stream import AnswerStream, Begun, ChatStream, begin_answer, begin_resumption
from aichat_sdk._transport import Transport
from aichat_sdk.types import ChatParams, CountParams, GenerationState, Message, TokenCount

__all__ = ["AnswerStream", "Chat", "ChatStream", "ToolRun", "TypedAnswer"]

# How long leaving `run_tools` early waits for the answer's cancellation.
_CANCEL_SECONDS = 5.0


class Chat:
    """`client.chat`."""

    def __init__(self, transport: Transport, upload: Upload) -> None:
        self._transport = transport
        self._upload = upload

    def stream(
        self, *, output_type: type[OutputT] | None = None, timeout: float | None = None, **params: Unpack[ChatParams]
    ) -> ChatStream[OutputT]:
        """Sends a message and streams the answer; `ChatParams` lists the parameters.

        `async with client.chat.stream(model="…", text="…") as stream:` enters its block once the answer has begun.
        Leaving the block closes the call; the server continues to write and store the answer. Without a block, the
        first read sends the message, and `await stream.close()` closes the call. The stream resumes by itself when its
        connection breaks. `timeout`: the longest time for the whole answer, in seconds; None: no limit.

        `output_type`: a dataclass, a TypedDict, a Struct of msgspec or a model of Pydantic. The model then answers with
        a value of this type, which `await stream.get_final_output()` returns.
        """
        options(params, ChatParams)
        output = None if output_type is None else Output(output_type)
        asked = params if output is None else output.asked(params)
        return ChatStream(partial(self._begin, asked, timeout), output)

    async def _begin(self, params: ChatParams, timeout: float | None) -> Begun:
        request = await chat_request(params, self._upload)
        return await begin_answer(self._transport, request, timeout=timeout)

    def resume(self, generation_id: str, after_sequence: int = 0, *, timeout: float | None = None) -> AnswerStream:
        """Resumes an answer's stream after the event with that number; 0: from its beginning.

        Raises NotResumableError if the answer's events have expired; its message is stored.
        """
        begin = partial(begin_resumption, self._transport, generation_id, after_sequence, timeout=timeout)
        return AnswerStream(begin, generation_id)

    async def cancel(self, generation_id: str, *, timeout: float | None = None) -> GenerationState:
        """Cancels an answer and keeps what has arrived.

        Returns how it ended, which may differ if it had ended before.
        """
        request = CancelGenerationRequest(generation_id=generation_id)
        return (await self._transport.call(CANCEL_GENERATION, request, timeout=timeout)).state

    @overload
    async def send(
        self, *, output_type: type[OutputT], timeout: float | None = None, **params: Unpack[ChatParams]
    ) -> TypedAnswer[OutputT]: ...

    @overload
    async def send(self, *, timeout: float | None = None, **params: Unpack[ChatParams]) -> Message: ...

    @overload
    async def send(
        self, *, output_type: type[Any] | None, timeout: float | None = None, **params: Unpack[ChatParams]
    ) -> Message | TypedAnswer[Any]: ...

    async def send(
        self, *, output_type: type[Any] | None = None, timeout: float | None = None, **params: Unpack[ChatParams]
    ) -> Message | TypedAnswer[Any]:
        """Sends a message and returns the whole answer; takes the same parameters as `stream`.

        With an `output_type` it returns the answer's message and its value.
        """
        if output_type is None:
            async with self.stream(timeout=timeout, **params) as stream:
                return await stream.get_final_message()
        async with self.stream(output_type=output_type, timeout=timeout, **params) as typed:
            return TypedAnswer(await typed.get_final_message(), await typed.get_final_output())

    def run_tools(
        self,
        *,
        output_type: type[OutputT] | None = None,
        max_rounds: int = 10,
        timeout: float | None = None,
        **params: Unpack[ChatParams],
    ) -> ToolRun[OutputT]:
        """Sends a message, and calls the `tools` that the model calls, until it answers without a call.

        `async with client.chat.run_tools(model="…", text="…", tools=[f]) as run:` runs while its block reads the run.
        A function's exception, invalid arguments and an unknown tool become results that tell the model what is wrong.
        After `max_rounds` answers that all call tools, the run raises ToolRoundsExceededError. `timeout`: the longest
        time for each answer, in seconds. A `tool_choice` that demands a call holds for the first answer alone.

        Leaving the block early stops the functions and cancels the answer. The other parameters are those of `stream`.
        """
        options(params, ChatParams)
        stop = partial(self.cancel, timeout=_CANCEL_SECONDS)
        output = None if output_type is None else Output(output_type)
        asked = params if output is None else output.asked(params)
        return ToolRun(partial(self._streamed, timeout), stop, asked, max_rounds, output)

    def _streamed(self, timeout: float | None, params: ChatParams) -> ChatStream:
        return self.stream(timeout=timeout, **params)

    async def count_tokens(self, *, timeout: float | None = None, **params: Unpack[CountParams]) -> TokenCount:
        """Returns the input tokens of a message with its conversation, exact where the model's vendor can count.

        Takes the parameters of `stream`, except `request_id` and `cancel_on_disconnect`. Costs nothing and stores
        nothing; only files of 1 MiB or more are uploaded, and kept for a day.
        """
        options(params, CountParams)
        request = await count_request(params, self._upload)
        return await self._transport.call(COUNT_TOKENS, request, timeout=timeout)
