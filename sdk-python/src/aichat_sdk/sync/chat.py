"""Chats with models. Generated from chat.py: do not edit."""

from __future__ import annotations

from typing import Any, Unpack, overload

from aichat_sdk._output import OutputT, TypedAnswer
from aichat_sdk._portal import Portal
from aichat_sdk.chat import Chat as AsyncChat
from aichat_sdk.sync.runs import ToolRun
from aichat_sdk.sync.stream import AnswerStream, ChatStream
from aichat_sdk.types import ChatParams, CountParams, GenerationState, Message, TokenCount

__all__ = ["Chat"]


class Chat:
    """`client.chat`."""

    def __init__(self, inner: AsyncChat, portal: Portal) -> None:
        self._inner = inner
        self._portal = portal

    def stream(
        self, *, output_type: type[OutputT] | None = None, timeout: float | None = None, **params: Unpack[ChatParams]
    ) -> ChatStream[OutputT]:
        """Sends a message and streams the answer; `ChatParams` lists the parameters.

        `with client.chat.stream(model="…", text="…") as stream:` enters its block once the answer has begun.
        Leaving the block closes the call; the server continues to write and store the answer. Without a block, the
        first read sends the message, and `stream.close()` closes the call. The stream resumes by itself when its
        connection breaks. `timeout`: the longest time for the whole answer, in seconds; None: no limit.

        `output_type`: a dataclass, a TypedDict, a Struct of msgspec or a model of Pydantic. The model then answers with
        a value of this type, which `stream.get_final_output()` returns.
        """
        return ChatStream(self._inner.stream(output_type=output_type, timeout=timeout, **params), self._portal)

    def resume(self, generation_id: str, after_sequence: int = 0, *, timeout: float | None = None) -> AnswerStream:
        """Resumes an answer's stream after the event with that number; 0: from its beginning.

        Raises NotResumableError if the answer's events have expired; its message is stored.
        """
        return AnswerStream(self._inner.resume(generation_id, after_sequence, timeout=timeout), self._portal)

    def cancel(self, generation_id: str, *, timeout: float | None = None) -> GenerationState:
        """Cancels an answer and keeps what has arrived.

        Returns how it ended, which may differ if it had ended before.
        """
        return self._portal.run(self._inner.cancel(generation_id, timeout=timeout))

    @overload
    def send(
        self, *, output_type: type[OutputT], timeout: float | None = None, **params: Unpack[ChatParams]
    ) -> TypedAnswer[OutputT]: ...

    @overload
    def send(self, *, timeout: float | None = None, **params: Unpack[ChatParams]) -> Message: ...

    @overload
    def send(
        self, *, output_type: type[Any] | None, timeout: float | None = None, **params: Unpack[ChatParams]
    ) -> Message | TypedAnswer[Any]: ...

    def send(
        self, *, output_type: type[Any] | None = None, timeout: float | None = None, **params: Unpack[ChatParams]
    ) -> Message | TypedAnswer[Any]:
        """Sends a message and returns the whole answer; takes the same parameters as `stream`.

        With an `output_type` it returns the answer's message and its value.
        """
        return self._portal.run(self._inner.send(output_type=output_type, timeout=timeout, **params))

    def run_tools(
        self,
        *,
        output_type: type[OutputT] | None = None,
        max_rounds: int = 10,
        timeout: float | None = None,
        **params: Unpack[ChatParams],
    ) -> ToolRun[OutputT]:
        """Sends a message, and calls the `tools` that the model calls, until it answers without a call.

        `with client.chat.run_tools(model="…", text="…", tools=[f]) as run:` runs while its block reads the run.
        A function's exception, invalid arguments and an unknown tool become results that tell the model what is wrong.
        After `max_rounds` answers that all call tools, the run raises ToolRoundsExceededError. `timeout`: the longest
        time for each answer, in seconds. A `tool_choice` that demands a call holds for the first answer alone.

        Leaving the block early stops the functions and cancels the answer. The other parameters are those of `stream`.
        """
        return ToolRun(
            self._inner.run_tools(output_type=output_type, max_rounds=max_rounds, timeout=timeout, **params),
            self._portal,
        )

    def count_tokens(self, *, timeout: float | None = None, **params: Unpack[CountParams]) -> TokenCount:
        """Returns the input tokens of a message with its conversation, exact where the model's vendor can count.

        Takes the parameters of `stream`, except `request_id` and `cancel_on_disconnect`. Costs nothing and stores
        nothing; only files of 1 MiB or more are uploaded, and kept for a day.
        """
        return self._portal.run(self._inner.count_tokens(timeout=timeout, **params))
