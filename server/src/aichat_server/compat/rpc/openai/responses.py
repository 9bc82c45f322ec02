"""The Responses API."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from uuid import UUID

from aichat.v1 import openai_pb2 as pb
from google.api.httpbody_pb2 import HttpBody

from aichat_server.compat.domain.bodies import JsonBody
from aichat_server.compat.domain.openai.forms import told_as
from aichat_server.compat.domain.openai.responses import ResponseRequest
from aichat_server.compat.domain.openai.responses_marks import has_own_marks
from aichat_server.compat.domain.openai.responses_options import NAMES
from aichat_server.compat.rpc.conversations import telling
from aichat_server.compat.rpc.headers import Headers, terms_of
from aichat_server.compat.rpc.openai.responses_asking import ROUTE, Telling, call_of, telling_of
from aichat_server.compat.rpc.openai.responses_events import ResponseEvents, ended, output_of
from aichat_server.compat.rpc.openai.responses_head import Head
from aichat_server.compat.rpc.openai.responses_stored import StoredTold
from aichat_server.compat.rpc.pieces import body_of, events_piece, json_piece
from aichat_server.compat.rpc.verbatim import verbatim_pieces
from aichat_server.compat.service.calls import CompatCall
from aichat_server.compat.service.responses import StoredResponses
from aichat_server.compat.service.serving import Serving
from aichat_server.compat.service.verbatim import Verbatim
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.stream import Completed, Started
from aichat_server.generations.service.journal import Events
from aichat_server.identity.service.caller import current_principal
from aichat_server.providers.domain.verbatim import VendorApi
from aichat_server.transport.foreign import current_reply

_NAMES_ITEMS = "ai-sdk"


class Responses:
    """The Responses API."""

    def __init__(self, serving: Serving, stored: StoredResponses, verbatim: Verbatim) -> None:
        self._serving = serving
        self._verbatim = verbatim
        self._stored = stored
        self._told = StoredTold(stored)

    async def create(self, body: HttpBody, headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Returns the response's pieces."""
        sent, asked = body_of(body), None
        if not (has_own_marks(sent.raw) or _names_items(sent, headers)):
            asked = await self._verbatim.asked(current_principal(), VendorApi.RESPONSES, sent, headers)
        if asked is not None and asked.sent is not None:
            call = CompatCall(asked, sent, ROUTE, terms_of(headers))
            events = await self._serving.answer(current_principal(), call)
            return verbatim_pieces(events, asked.sent, lambda events: _expired(events, sent))
        return await self._converted(sent, headers)

    async def _converted(self, sent: JsonBody, headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Returns the response to a request that its vendor gets in another form."""
        principal = current_principal()
        request = sent.read(ResponseRequest)
        call = await call_of(self._stored, principal, request, sent, headers)
        try:
            events = telling(await self._serving.answer(principal, call), call.keep)
        except AichatError as error:
            raise told_as(error, NAMES) from error
        told = telling_of(request, sent)
        if request.stream:
            return _streamed(events, told.events())
        return _queued(events, told, call) if request.background else _whole(events, told)

    async def retrieve(self, request: pb.RetrieveResponseRequest) -> AsyncGenerator[HttpBody, None]:
        """Yields a stored response, or its events."""
        if not request.stream:
            yield json_piece(await self._told.whole(current_principal(), request.response_id))
            return
        after = request.starting_after if request.HasField("starting_after") else None
        async with aclosing(self._told.events(current_principal(), request.response_id, after)) as events:
            async for data in events:
                yield events_piece(data)

    async def cancel(self, response_id: str) -> AsyncGenerator[HttpBody, None]:
        """Cancels a response, and yields it."""
        yield json_piece(await self._told.cancelled(current_principal(), response_id))

    async def delete(self, response_id: str) -> AsyncGenerator[HttpBody, None]:
        """Deletes a response."""
        await self._stored.delete(current_principal(), response_id)
        yield json_piece({"id": response_id, "object": "response", "deleted": True})

    async def input_items(self, request: pb.ListResponseInputItemsRequest) -> AsyncGenerator[HttpBody, None]:
        """Yields a page of what a response was asked."""
        yield json_piece(await self._told.input_items(current_principal(), request))


def _names_items(sent: JsonBody, headers: Headers) -> bool:
    """Whether the client names items in its next requests instead of sending them: OpenAI keeps none of this account.

    The AI SDK does so unless it says that nothing is stored.
    """
    return "store" not in sent.fields and _NAMES_ITEMS in headers.get("user-agent", "")


def _expired(events: Events, sent: JsonBody) -> AsyncGenerator[HttpBody, None]:
    """Returns a response of which only the content is left."""
    request = sent.read(ResponseRequest)
    told = telling_of(request, sent)
    return _streamed(events, told.events()) if request.stream else _whole(events, told)


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


async def _whole(events: Events, told: Telling) -> AsyncGenerator[HttpBody, None]:
    is_whole = False
    async with aclosing(events):
        async for _, event in events:
            if isinstance(event, Completed):
                is_whole, answer = True, event.answer
                _tell(answer.generation_id)
                head = Head(answer.generation_id, told.echo, event.place.get("conversation_id"))
                yield json_piece(ended(head, answer, output_of(answer, told.tools, seals=told.seals)))
    if not is_whole:
        raise AichatError(Reason.INTERNAL, "the answer ended without its end")


async def _queued(events: Events, told: Telling, call: CompatCall) -> AsyncGenerator[HttpBody, None]:
    """Yields a response that is written in the background."""
    async with aclosing(events):
        generation_id = call.keep.generation_id if call.keep is not None else None
        if call.terms.key is not None:
            # The answer may be the one that the key began before.
            generation_id = await anext((e.generation_id async for _, e in events if isinstance(e, Started)))
    if generation_id is not None:
        _tell(generation_id)
        yield json_piece(Head(generation_id, told.echo).response("queued"))


def _tell(generation_id: UUID) -> None:
    current_reply().headers["x-aichat-generation-id"] = str(generation_id)
