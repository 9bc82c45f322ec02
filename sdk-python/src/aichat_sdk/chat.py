"""Chats with models."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Unpack

from aichat_sdk._checking import member
from aichat_sdk._methods import CANCEL_GENERATION
from aichat_sdk._proto.aichat.v1 import CancelGenerationRequest, ChatOptions, ReasoningEffort, StreamChatRequest
from aichat_sdk._stream import AnswerStream, ChatStream, open_stream, resume_stream
from aichat_sdk._transport import Transport
from aichat_sdk.errors import InvalidRequestError
from aichat_sdk.types import ChatParams, Effort, GenerationState, Message, Part, TextPart

__all__ = ["AnswerStream", "Chat", "ChatStream"]


class Chat:
    """`client.chat`."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    @asynccontextmanager
    async def stream(self, *, timeout: float | None = None, **params: Unpack[ChatParams]) -> AsyncIterator[ChatStream]:
        """Sends a message and streams the answer; `ChatParams` lists the parameters.

        `async with client.chat.stream(model="…", text="…") as stream:` enters its block once the answer has begun.
        Leaving the block closes the call; the server continues to write and store the answer. The stream resumes by
        itself when its connection breaks. `timeout`: the longest time for the whole answer, in seconds; None: no limit.
        """
        stream = await open_stream(self._transport, _request(**params), timeout=timeout)
        try:
            yield stream
        finally:
            await stream.close()

    @asynccontextmanager
    async def resume(
        self, generation_id: str, after_sequence: int = 0, *, timeout: float | None = None
    ) -> AsyncIterator[AnswerStream]:
        """Resumes an answer's stream after the event with that number; 0: from its beginning.

        Raises NotResumableError if the answer's events have expired; its message is stored.
        """
        stream = resume_stream(self._transport, generation_id, after_sequence, timeout=timeout)
        try:
            yield stream
        finally:
            await stream.close()

    async def cancel(self, generation_id: str, *, timeout: float | None = None) -> GenerationState:
        """Cancels an answer and keeps what has arrived.

        Returns how it ended, which may differ if it had ended before.
        """
        request = CancelGenerationRequest(generation_id=generation_id)
        return (await self._transport.call(CANCEL_GENERATION, request, timeout=timeout)).state

    async def send(self, *, timeout: float | None = None, **params: Unpack[ChatParams]) -> Message:
        """Sends a message and returns the whole answer; takes the same parameters as `stream`."""
        async with self.stream(timeout=timeout, **params) as stream:
            return await stream.get_final_message()


def _request(
    *,
    model: str,
    text: str | None = None,
    parts: list[Part] | None = None,
    conversation_id: str | None = None,
    parent_message_id: str | None = None,
    request_id: str | None = None,
    max_output_tokens: int | None = None,
    temperature: float | None = None,
    stop: str | list[str] | None = None,
    system_prompt: str | None = None,
    reasoning_effort: Effort | None = None,
    cancel_on_disconnect: bool = False,
) -> StreamChatRequest:
    return StreamChatRequest(
        request_id=str(uuid.uuid4()) if request_id in (None, "") else request_id,
        conversation_id="" if conversation_id is None else conversation_id,
        parent_message_id="" if parent_message_id is None else parent_message_id,
        parts=_parts(text, parts),
        model=model,
        options=ChatOptions(
            max_output_tokens=max_output_tokens,
            temperature=temperature,
            stop=[stop] if isinstance(stop, str) else [] if stop is None else stop,
            system_prompt="" if system_prompt is None else system_prompt,
            reasoning_effort=_effort(reasoning_effort),
        ),
        cancel_on_disconnect=cancel_on_disconnect,
    )


def _parts(text: str | None, parts: list[Part] | None) -> list[Part]:
    if parts is not None and text is None:
        return parts
    if text is None or parts is not None:
        raise InvalidRequestError("a message is either `text` or `parts`: pass one of them")
    return [Part(text=TextPart(text=text))]


def _effort(effort: Effort | None) -> ReasoningEffort:
    if effort is None:
        return ReasoningEffort.UNSPECIFIED
    return member(ReasoningEffort, effort, "reasoning_effort")
