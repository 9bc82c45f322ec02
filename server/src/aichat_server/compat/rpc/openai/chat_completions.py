"""Chat Completions: reads its requests, and writes answers as completions and as chunks."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from google.api.httpbody_pb2 import HttpBody

from aichat_server.compat.domain.asked import Asked
from aichat_server.compat.domain.keeping import CONVERSATION, keep_of
from aichat_server.compat.domain.openai_chat import ChatRequest
from aichat_server.compat.domain.openai_chat_messages import messages_told
from aichat_server.compat.domain.openai_chat_options import NAMES, options_told
from aichat_server.compat.domain.openai_forms import told_as
from aichat_server.compat.rpc.conversations import telling
from aichat_server.compat.rpc.headers import Headers, terms_of
from aichat_server.compat.rpc.openai.chat_answers import completion
from aichat_server.compat.rpc.openai.chat_chunks import Chunks
from aichat_server.compat.rpc.pieces import body_of, events_piece, json_piece
from aichat_server.compat.service.serving import CompatCall, Serving
from aichat_server.core.errors import AichatError, Reason
from aichat_server.generations.domain.stream import Completed, Heartbeat, Started
from aichat_server.generations.service.journal import Events
from aichat_server.identity.service.caller import current_principal
from aichat_server.transport.foreign import current_reply

ROUTE = "chat.completions"
GENERATION_ID = "x-aichat-generation-id"


class ChatCompletions:
    """Creates chat completions."""

    def __init__(self, serving: Serving) -> None:
        self._serving = serving

    async def create(self, body: HttpBody, headers: Headers) -> AsyncGenerator[HttpBody, None]:
        """Yields the response's pieces."""
        sent = body_of(body)
        request = sent.read(ChatRequest)
        keep = keep_of(headers.get(CONVERSATION), store=bool(request.store))
        call = CompatCall(_asked(request), sent, ROUTE, terms_of(headers), keep)
        try:
            events = telling(await self._serving.answer(current_principal(), call), keep)
        except AichatError as error:
            raise told_as(error, NAMES) from error
        pieces = _stream(events, request) if request.stream else _whole(events, request.model)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece


def _asked(request: ChatRequest) -> Asked:
    told = messages_told(request.messages)
    options = options_told(request, told.instructions)
    return Asked(request.model, told.messages, options, request.prompt_cache_key or "")


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
