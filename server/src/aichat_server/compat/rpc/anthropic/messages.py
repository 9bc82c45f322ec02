"""Messages: the conversation and its answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing

import msgspec
from aichat.v1 import anthropic_pb2 as pb
from google.api.httpbody_pb2 import HttpBody

from aichat_server.compat.domain.anthropic.asking import asked_of
from aichat_server.compat.domain.anthropic.content import ThinkingShown, Told
from aichat_server.compat.domain.anthropic.marks import ANTHROPIC
from aichat_server.compat.domain.anthropic.options import shows_thinking
from aichat_server.compat.domain.anthropic.requests import CountRequest, MessageRequest, read
from aichat_server.compat.domain.anthropic.stream import MessageAsked, MessageStream
from aichat_server.compat.domain.anthropic.versions import told_version, version_of
from aichat_server.compat.domain.anthropic.whole import whole_message
from aichat_server.compat.domain.bodies import JsonBody
from aichat_server.compat.domain.keeping import CONVERSATION, keep_of
from aichat_server.compat.rpc.conversations import telling
from aichat_server.compat.rpc.headers import Headers, terms_of
from aichat_server.compat.rpc.pieces import body_of, events_piece, json_piece
from aichat_server.compat.rpc.verbatim import verbatim_pieces
from aichat_server.compat.service.calls import CompatCall
from aichat_server.compat.service.counting import Counting
from aichat_server.compat.service.serving import Serving
from aichat_server.compat.service.verbatim import Verbatim
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.stream import Completed, Started
from aichat_server.generations.service.journal import Events
from aichat_server.identity.service.caller import current_principal
from aichat_server.models.domain.usage import BYTES_PER_TOKEN
from aichat_server.providers.domain.verbatim import VendorApi
from aichat_server.transport.foreign import JSON, current_reply

ROUTE = "messages"
_encoder = msgspec.json.Encoder()


class Messages:
    """Answers and counts messages."""

    def __init__(self, serving: Serving, counting: Counting, verbatim: Verbatim) -> None:
        self._serving = serving
        self._counting = counting
        self._verbatim = verbatim

    async def create(self, request: pb.CreateMessageRequest, headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Returns the response's pieces."""
        told_version(headers)
        sent = body_of(request.body)
        asked = await self._verbatim.asked(current_principal(), VendorApi.MESSAGES, sent, headers)
        if asked is None or asked.sent is None:
            return self._by_parts(sent, headers)

        def written(events: Events) -> AsyncGenerator[HttpBody, None]:
            told = read(sent, MessageRequest)
            return _pieces(events, told, _about(told, ANTHROPIC), lambda: len(sent.raw) // BYTES_PER_TOKEN)

        call = CompatCall(asked, sent, ROUTE, terms_of(headers))
        return verbatim_pieces(await self._serving.answer(current_principal(), call), asked.sent, written)

    async def _by_parts(self, sent: JsonBody, headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Yields an answer that this server writes in Anthropic's form."""
        told, principal = read(sent, MessageRequest), current_principal()
        model = self._counting.model(principal, told.model)
        asked = asked_of(told, model, version_of(headers))
        keep = keep_of(headers.get(CONVERSATION))
        call = CompatCall(asked, sent, ROUTE, terms_of(headers), keep)
        events = telling(await self._serving.answer(principal, call), keep)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(aclosing(events))
            input_tokens: Callable[[], int] = int
            if told.stream and model.provider != ANTHROPIC:
                # Anthropic says it at once, and others say it at the end.
                input_tokens = await stack.enter_async_context(self._counting.counting(principal, model, asked))
            pieces = _pieces(events, told, _about(told, model.provider), input_tokens)
            async for piece in await stack.enter_async_context(aclosing(pieces)):
                yield piece

    async def count(self, request: pb.CountMessageTokensRequest, headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Yields the count of the input tokens."""
        told_version(headers)
        sent, principal = body_of(request.body), current_principal()
        counted = await self._verbatim.count(principal, VendorApi.MESSAGES, sent, headers)
        if counted is not None:
            yield HttpBody(content_type=JSON, data=counted)
            return
        told = read(sent, CountRequest)
        asked = asked_of(told, self._counting.model(principal, told.model), version_of(headers))
        yield json_piece({"input_tokens": await self._counting.count(principal, asked)})


def _about(told: MessageRequest, provider: str) -> MessageAsked:
    shown = ThinkingShown.ALL
    if told.thinking is None or not shows_thinking(told):
        shown = ThinkingShown.NOTHING
    elif told.thinking.display == "omitted" and provider != ANTHROPIC:
        # Anthropic signs its thinking with the text that it shows.
        shown = ThinkingShown.MARKS
    return MessageAsked(told.model, tuple(told.stop_sequences or ()), shown)


async def _pieces(
    events: Events, told: MessageRequest, about: MessageAsked, input_tokens: Callable[[], int]
) -> AsyncGenerator[HttpBody, None]:
    """Yields an answer in the form that is asked for."""
    so_far = list[Told]()
    async with aclosing(_told(MessageStream(about, input_tokens), events)) as found:
        async for event in found:
            if told.stream:
                yield _piece(event)
                continue
            so_far.append(event)
            if event["type"] == "message_stop":
                yield json_piece(whole_message(so_far))


async def _told(stream: MessageStream, events: Events) -> AsyncGenerator[Told, None]:
    """Yields the events of the stream. A refusal of the vendor's is an end of its own."""
    try:
        async for _, event in events:
            if isinstance(event, Started | Completed):
                _tell_generation(event)
            for told in stream.take(event):
                yield told
    except AichatError as error:
        if error.reason is not Reason.ANSWER_REFUSED or stream.generation_id is None:
            raise
        for told in stream.refused():
            yield told


def _tell_generation(event: Started | Completed) -> None:
    generation_id = event.generation_id if isinstance(event, Started) else event.answer.generation_id
    current_reply().headers["x-aichat-generation-id"] = str(generation_id)


def _piece(event: Told) -> HttpBody:
    name = event["type"].encode()
    return events_piece(b"event: " + name + b"\ndata: " + _encoder.encode(event) + b"\n\n")
