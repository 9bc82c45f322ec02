"""The Responses API."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

from aichat.v1 import openai_pb2 as pb
from google.api.httpbody_pb2 import HttpBody

from aichat_server.compat.domain.asked import Asked
from aichat_server.compat.domain.openai_forms import told_as
from aichat_server.compat.domain.openai_responses import ResponseRequest
from aichat_server.compat.domain.openai_responses_check import check_messages
from aichat_server.compat.domain.openai_responses_items import items_told
from aichat_server.compat.domain.openai_responses_options import NAMES, custom_names, options_told
from aichat_server.compat.rpc.headers import Headers, terms_of
from aichat_server.compat.rpc.openai.responses_events import ResponseEvents, ended, output_of
from aichat_server.compat.rpc.openai.responses_head import Head, Json, echo_of
from aichat_server.compat.rpc.pieces import body_of, events_piece, json_piece
from aichat_server.compat.service.serving import CompatCall, Serving
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.stream import Completed, Started
from aichat_server.generations.service.journal import Events
from aichat_server.identity.service.caller import current_principal
from aichat_server.transport.foreign import current_reply

ROUTE = "responses"


class Responses:
    """The Responses API."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def create(self, body: HttpBody, headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Yields the response's pieces."""
        sent = body_of(body)
        request = sent.read(ResponseRequest)
        told = items_told(request.input, {})
        check_messages(told.messages)
        asked = Asked(request.model, told.messages, options_told(request, told.instructions))
        try:
            events = await self._serving.answer(current_principal(), CompatCall(asked, sent, ROUTE, terms_of(headers)))
        except AichatError as error:
            raise told_as(error, NAMES) from error.__cause__
        echo, custom = echo_of(request, sent), custom_names(request.tools or ())
        if request.stream:
            pieces = _streamed(events, ResponseEvents(echo, custom, seals=request.keeps_reasoning))
        else:
            pieces = _whole(events, echo, custom, seals=request.keeps_reasoning)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    def retrieve(self, _request: pb.RetrieveResponseRequest) -> AsyncGenerator[HttpBody, None]:
        """Returns a stored response, or its events."""
        raise _not_served()

    def cancel(self, _response_id: str) -> AsyncGenerator[HttpBody, None]:
        """Cancels a response."""
        raise _not_served()

    def delete(self, _response_id: str) -> AsyncGenerator[HttpBody, None]:
        """Deletes a response."""
        raise _not_served()

    def input_items(self, _request: pb.ListResponseInputItemsRequest) -> AsyncGenerator[HttpBody, None]:
        """Lists what a response was asked."""
        raise _not_served()


async def _streamed(events: Events, writer: ResponseEvents) -> AsyncGenerator[HttpBody, None]:
    """Yields the answer's events. What fails after the first one is told by the stream itself."""
    has_begun = False
    try:
        async with aclosing(events):
            async for _, event in events:
                if isinstance(event, Started):
                    has_begun = True
                    _tell(event.generation_id)
                # Before the beginning the response can still be a refusal with a status of its own.
                if has_begun:
                    for data in writer.write(event):
                        yield events_piece(data)
    except AichatError as error:
        if not has_begun:
            raise
        for data in writer.fail(error):
            yield events_piece(data)


async def _whole(events: Events, echo: Json, custom: frozenset[str], *, seals: bool) -> AsyncGenerator[HttpBody, None]:
    is_whole = False
    async with aclosing(events):
        async for _, event in events:
            if isinstance(event, Completed):
                is_whole, answer = True, event.answer
                _tell(answer.generation_id)
                head = Head(answer.generation_id, echo, event.place.get("conversation_id"))
                yield json_piece(ended(head, answer, output_of(answer, custom, seals=seals)))
    if not is_whole:
        raise AichatError(Reason.INTERNAL, "the answer ended without its end")


def _tell(generation_id: UUID) -> None:
    current_reply().headers["x-aichat-generation-id"] = str(generation_id)


def _not_served() -> AichatError:
    return AichatError(Reason.ROUTE_UNKNOWN, "this server does not serve it yet")
