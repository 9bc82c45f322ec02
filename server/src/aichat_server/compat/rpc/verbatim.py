"""The pieces of answers that come back as their vendors sent them."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import aclosing
from types import MappingProxyType
from typing import Any

import msgspec
from google.api.httpbody_pb2 import HttpBody

from aichat_server.compat.domain.merging import (
    event_data,
    json_event,
    json_events,
    whole_completion,
    whole_message,
)
from aichat_server.compat.rpc.openai.usage import cost_json
from aichat_server.compat.rpc.pieces import events_piece
from aichat_server.core.errors import AichatError
from aichat_server.core.money import NanoUsd
from aichat_server.generations.domain.stream import Completed, Heartbeat, Started, StreamEvent
from aichat_server.generations.service.journal import Events
from aichat_server.providers.domain.events import Sent, SentKind
from aichat_server.providers.domain.verbatim import SentRequest, VendorApi, VendorRefusalError
from aichat_server.transport.foreign import JSON, ForeignErrors, Refusal, current_reply

Written = Callable[[Events], AsyncGenerator[HttpBody, None]]
"""Writes an answer from its events."""

_HEARTBEAT = b": heartbeat\n\n"
_GENERATION_ID = "x-aichat-generation-id"
_Fields = dict[str, msgspec.Raw]


def verbatim_pieces(events: Events, sent: SentRequest, otherwise: Written) -> AsyncGenerator[HttpBody, None]:
    """Returns the response to a request that went to its vendor as it was sent: `sent` is Asked.sent.

    `otherwise` writes an answer whose bytes have expired, and of which only the content is kept. The pieces raise
    VendorRefusalError if the vendor refused the request.
    """
    answer = _Answer(sent.api, otherwise)
    return answer.stream(events) if sent.streams else answer.whole(events)


class _Answer:
    """One answer."""

    def __init__(self, api: VendorApi, otherwise: Written) -> None:
        self._api = api
        self._otherwise = otherwise
        self._has_begun = False
        self._last = b""
        self._is_sent = False
        """Whether there are bytes of the vendor's."""
        self._before = list[tuple[int, StreamEvent]]()
        """The events before them."""
        self._told_failure = False
        self._refusal: VendorRefusalError | None = None

    async def stream(self, events: Events) -> AsyncGenerator[HttpBody, None]:
        """Yields the events as they come, the last ones when the answer is kept."""
        async with aclosing(events):
            try:
                # Many layers of generators would cost each piece more than its own work does.
                async for number, event in events:
                    if not self._is_sent:
                        self._keep(number, event)
                    if data := self._shown(event):
                        yield events_piece(data)
            except AichatError as error:
                if self._refusal is not None:
                    raise self._refusal from error
                # Otherwise the vendor's own words have said why.
                if not self._told_failure:
                    raise
            async with aclosing(self._expired()) as pieces:
                async for piece in pieces:
                    yield piece

    async def whole(self, events: Events) -> AsyncGenerator[HttpBody, None]:
        """Yields the answer once it is kept."""
        async with aclosing(events):
            try:
                async with aclosing(self._joined(events)) as pieces:
                    async for piece in pieces:
                        yield piece
            except AichatError as error:
                if self._refusal is not None:
                    raise self._refusal from error
                raise
            async with aclosing(self._expired()) as pieces:
                async for piece in pieces:
                    yield piece

    async def _joined(self, events: Events) -> AsyncGenerator[HttpBody, None]:
        pieces = list[bytes]()
        async for number, event in events:
            self._keep(number, event)
            match event:
                case Sent():
                    pieces.append(self._take(event))
                case Started():
                    self._begin(event)
                case Completed(answer) if self._is_sent:
                    data = b"".join(pieces) + self._end(answer.cost)
                    yield HttpBody(content_type=JSON, data=_WHOLE[self._api](data, answer.cost))
                case _:
                    """The vendor's bytes tell it."""

    async def _expired(self) -> AsyncGenerator[HttpBody, None]:
        """Yields an answer without bytes of the vendor's; nothing if there are any."""
        if not self._is_sent:
            async with aclosing(self._otherwise(_again(self._before))) as pieces:
                async for piece in pieces:
                    yield piece

    def _keep(self, number: int, event: StreamEvent) -> None:
        """Keeps the events until there are bytes."""
        if not self._is_sent:
            self._is_sent = isinstance(event, Sent)
            self._before.append((number, event))

    def _shown(self, event: StreamEvent) -> bytes:
        """Returns what a stream shows of an event; empty for nothing."""
        match event:
            case Sent():
                return self._take(event)
            case Started():
                self._begin(event)
            case Heartbeat() if self._has_begun:
                return _HEARTBEAT
            case Completed(answer) if self._is_sent:
                return self._end(answer.cost)
            case _:
                """The vendor's bytes tell it."""
        return b""

    def _begin(self, started: Started) -> None:
        self._has_begun = True
        current_reply().headers[_GENERATION_ID] = str(started.generation_id)

    def _take(self, event: Sent) -> bytes:
        """Returns what may be shown now."""
        match event.kind:
            case SentKind.REFUSAL:
                # What follows is the end of the events, which are read to their end.
                self._refusal = VendorRefusalError(event.status, event.data)
                return b""
            case SentKind.LAST:
                self._last = event.data
                return b""
            case SentKind.FAILURE:
                # OpenAI's SDKs raise no failure that Responses tell: it is told again in the form that they raise.
                self._told_failure = self._api is not VendorApi.RESPONSES
        return event.data

    def _end(self, cost: NanoUsd) -> bytes:
        return b"".join(_with_cost(one, cost) for one in _blocks(self._last))


class AsSent:
    """Writes the refusals of vendors as they came, and all other failures as the API does."""

    def __init__(self, errors: ForeignErrors) -> None:
        self._errors = errors

    def refusal(self, error: AichatError, request_id: str) -> Refusal:
        """See ForeignErrors."""
        if isinstance(error, VendorRefusalError):
            return Refusal(error.status, error.body, {"x-should-retry": "false"})
        return self._errors.refusal(error, request_id)

    def last_event(self, error: AichatError, request_id: str) -> bytes:
        """See ForeignErrors."""
        if not isinstance(error, VendorRefusalError):
            return self._errors.last_event(error, request_id)
        data = b"data: " + msgspec.json.format(error.body, indent=-1) + b"\n\n"
        return b"event: error\n" + data if b'"type":"error"' in data else data


async def _again(events: Iterable[tuple[int, StreamEvent]]) -> Events:
    for event in events:
        yield event


def _blocks(data: bytes) -> list[bytes]:
    return [block + b"\n\n" for block in data.split(b"\n\n") if block.strip()]


def _with_cost(block: bytes, cost: NanoUsd) -> bytes:
    """Returns an event with what was charged, if it has the usage."""
    if b'"usage"' not in block:
        return block
    head, mark, _ = block.partition(b"data:")
    told = _costed(_fields(next(event_data(block))), cost)
    if told is None:
        return block
    # The vendor may have written it over several lines: within texts, JSON has none.
    return head + mark + b" " + msgspec.json.encode(told).replace(b"\n", b"") + b"\n\n"


def _costed(told: _Fields, cost: NanoUsd) -> _Fields | None:
    """Returns an object whose usage, or that of its response, has the cost. None if it has no usage."""
    for name in ("usage", "response"):
        inner = told.get(name)
        if inner is None or bytes(memoryview(inner)[:1]) != b"{":
            continue
        fields = _fields(inner)
        found = _without_details(fields) | {"cost": cost_json(cost)} if name == "usage" else _costed(fields, cost)
        if found is not None:
            return told | {name: msgspec.Raw(msgspec.json.encode(found))}
    return None


def _without_details(usage: dict[str, Any]) -> dict[str, Any]:
    """Returns a usage without OpenRouter's details of what the operator pays for it."""
    return {name: told for name, told in usage.items() if name != "cost_details"}


def _fields(data: bytes | msgspec.Raw) -> _Fields:
    """Returns the fields of an object, which may have lone surrogates."""
    try:
        return msgspec.json.decode(data, type=_Fields)
    except msgspec.MsgspecError:
        return {name: msgspec.Raw(msgspec.json.encode(told)) for name, told in json_event(bytes(data)).items()}


def _whole_response(data: bytes, _: NanoUsd) -> bytes:
    """Returns the response that the last event repeats, which has its cost already."""
    last = [one for one in event_data(data) if b'"response"' in one][-1]
    return bytes(_fields(last)["response"])


def _whole_completion(data: bytes, cost: NanoUsd) -> bytes:
    return _encoded(whole_completion(json_events(data)), cost)


def _whole_message(data: bytes, cost: NanoUsd) -> bytes:
    return _encoded(whole_message(json_events(data)), cost)


def _encoded(told: dict[str, Any], cost: NanoUsd) -> bytes:
    if isinstance(usage := told.get("usage"), dict):
        told["usage"] = _without_details(usage) | {"cost": cost_json(cost)}
    return msgspec.json.encode(told)


_WHOLE: Mapping[VendorApi, Callable[[bytes, NanoUsd], bytes]] = MappingProxyType(
    {
        VendorApi.MESSAGES: _whole_message,
        VendorApi.RESPONSES: _whole_response,
        VendorApi.CHAT_COMPLETIONS: _whole_completion,
    }
)
