"""Chat Completions: reads its requests, and writes answers as completions and as chunks."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from google.api.httpbody_pb2 import HttpBody

from aichat_server.compat.domain.asked import Asked
from aichat_server.compat.domain.bodies import JsonBody
from aichat_server.compat.domain.keeping import CONVERSATION, keep_of
from aichat_server.compat.domain.openai.chat import ChatRequest
from aichat_server.compat.domain.openai.chat_messages import messages_told
from aichat_server.compat.domain.openai.chat_options import NAMES, options_told
from aichat_server.compat.domain.openai.forms import told_as
from aichat_server.compat.rpc.conversations import telling
from aichat_server.compat.rpc.headers import Headers, terms_of
from aichat_server.compat.rpc.openai.chat_answers import completion
from aichat_server.compat.rpc.openai.chat_chunks import Chunks
from aichat_server.compat.rpc.pieces import body_of, events_piece, json_piece
from aichat_server.compat.rpc.verbatim import verbatim_pieces
from aichat_server.compat.service.calls import CompatCall
from aichat_server.compat.service.serving import Serving
from aichat_server.compat.service.verbatim import Verbatim
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.stream import Completed, Heartbeat, Started
from aichat_server.generations.service.journal import Events
from aichat_server.identity.service.caller import current_principal
from aichat_server.providers.domain.verbatim import VendorApi
from aichat_server.transport.foreign import current_reply

ROUTE = "chat.completions"
GENERATION_ID = "x-aichat-generation-id"


class ChatCompletions:
    """Creates chat completions."""

    def __init__(self, serving: Serving, verbatim: Verbatim) -> None:
        self._serving = serving
        self._verbatim = verbatim

    async def create(self, body: HttpBody, headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Returns the response's pieces."""
        sent = body_of(body)
        asked = await self._verbatim.asked(current_principal(), VendorApi.CHAT_COMPLETIONS, sent, headers)
        if asked is not None and asked.sent is not None:
            call = CompatCall(asked, sent, ROUTE, terms_of(headers))
            events = await self._serving.answer(current_principal(), call)
            return verbatim_pieces(events, asked.sent, lambda events: _written(events, sent.read(ChatRequest)))
        return await self._converted(sent, headers)

    async def _converted(self, sent: JsonBody, headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Returns the response to a request that its vendor gets in another form."""
        request = sent.read(ChatRequest)
        keep = keep_of(headers.get(CONVERSATION), store=bool(request.store))
        call = CompatCall(_asked(request), sent, ROUTE, terms_of(headers), keep)
        try:
            events = telling(await self._serving.answer(current_principal(), call), keep)
        except AichatError as error:
            raise told_as(error, NAMES) from error
        return _written(events, request)


def _asked(request: ChatRequest) -> Asked:
    told = messages_told(request.messages)
    options = options_told(request, told.instructions)
    return Asked(request.model, told.messages, options, request.prompt_cache_key or "")


def _written(events: Events, request: ChatRequest) -> AsyncGenerator[HttpBody, None]:
    return _stream(events, request) if request.stream else _whole(events, request.model)


async def _stream(events: Events, request: ChatRequest) -> AsyncGenerator[HttpBody, None]:
    shows_usage = bool(request.stream_options and request.stream_options.include_usage)
    chunks, begun = Chunks(request.model, shows_usage=shows_usage), False
    async with aclosing(events):
        async for _, event in events:
            if isinstance(event, Started):
                begun, current_reply().headers[GENERATION_ID] = True, str(event.generation_id)
            # Before the beginning the response can still be a refusal with a status of its own.
            if begun or not isinstance(event, Heartbeat):
                for piece in chunks.write(event):
                    yield events_piece(piece)


async def _whole(events: Events, model: str) -> AsyncGenerator[HttpBody, None]:
    ended = False
    async with aclosing(events):
        async for _, event in events:
            if isinstance(event, Completed):
                ended = True
                current_reply().headers[GENERATION_ID] = str(event.answer.generation_id)
                yield json_piece(completion(event.answer, model))
    if not ended:
        raise AichatError(Reason.INTERNAL, "the answer ended without its end")
