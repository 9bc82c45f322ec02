"""Requests of the Responses API as calls: what is asked, and what is kept of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec

from aichat_server.compat.domain.asked import Asked
from aichat_server.compat.domain.bodies import JsonBody
from aichat_server.compat.domain.keeping import CONVERSATION, Keep, keep_of
from aichat_server.compat.domain.openai.responses import OfferedTool, ResponseRequest
from aichat_server.compat.domain.openai.responses_check import check_messages
from aichat_server.compat.domain.openai.responses_items import items_told, offered_among, references_of
from aichat_server.compat.domain.openai.responses_options import options_told
from aichat_server.compat.domain.openai.responses_tools import OwnTool, own_tools
from aichat_server.compat.rpc.headers import Headers, terms_of
from aichat_server.compat.rpc.openai.responses_events import ResponseEvents
from aichat_server.compat.rpc.openai.responses_head import Echo, echo_of
from aichat_server.compat.service.calls import CompatCall
from aichat_server.compat.service.responses import StoredResponses
from aichat_server.compat.storage.responses import StoredResponse
from aichat_server.core.errors import invalid_request
from aichat_server.identity.domain.principals import Principal

ROUTE = "responses"
_MOST_REFERENCES = 256


class Telling(msgspec.Struct, frozen=True):
    """How a response is told. It is kept with the response."""

    echo: Echo
    seals: bool
    added: tuple[OfferedTool, ...] = ()
    """The tools that the items of the input offer."""

    @property
    def tools(self) -> Mapping[str, OwnTool]:
        """How the caller knows its tools, by the names of their functions."""
        return own_tools((*msgspec.convert(self.echo["tools"], list[OfferedTool]), *self.added))

    def events(self) -> ResponseEvents:
        """Returns what writes the response as a stream."""
        return ResponseEvents(self.echo, self.tools, seals=self.seals)


def telling_of(request: ResponseRequest, body: JsonBody) -> Telling:
    """Returns how the response to a request is told."""
    # What was sent is told back, and may be kept: as values, since text in JSON may hold what nothing can store.
    echo = msgspec.json.decode(msgspec.json.encode(echo_of(request, body)))
    return Telling(echo, request.keeps_reasoning, offered_among(request.input))


def stored_telling(stored: StoredResponse) -> Telling:
    """Returns how a stored response is told."""
    return msgspec.convert(stored.request, Telling)


async def call_of(
    stored: StoredResponses, principal: Principal, request: ResponseRequest, body: JsonBody, headers: Headers
) -> CompatCall:
    """Returns the call. Raises REQUEST_INVALID, OPTION_UNSUPPORTED, and GENERATION_NOT_FOUND for a response before."""
    named = references_of(request.input)
    if len(named) > _MOST_REFERENCES:
        raise invalid_request("input", f"must name at most {_MOST_REFERENCES} items: send them whole")
    told = items_told(request.input, await stored.items(principal, named) if named else {})
    keep = keep_of(headers.get(CONVERSATION), store=request.is_stored)
    messages, owns = told.messages, keep is not None and CONVERSATION not in headers
    if request.previous_response_id is not None:
        _, before = await stored.find(principal, request.previous_response_id, param="previous_response_id")
        messages = (*await stored.history(principal, before, told.messages), *told.messages)
        if keep is not None:
            follows = CONVERSATION not in headers
            owns = follows and before.owns_conversation
            place = Keep(before.conversation_id, before.message_id) if follows else keep
            keep = replace(place, added=len(told.messages))
    else:
        check_messages(messages)
    if keep is not None and request.is_stored:
        is_left = bool(request.background and not request.stream)
        keep = replace(keep, response=_kept(telling_of(request, body), owns=owns), background=is_left)
    options = options_told(request, told.instructions, told.tools)
    asked = Asked(request.model, messages, options, request.prompt_cache_key or "")
    return CompatCall(asked, body, ROUTE, terms_of(headers), keep)


def _kept(telling: Telling, *, owns: bool) -> dict[str, Any]:
    return {"request": msgspec.to_builtins(telling), "owns_conversation": owns}
