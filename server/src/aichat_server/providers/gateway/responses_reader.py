"""Reads the events of OpenAI's Responses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import msgspec

from aichat_server.content.parts import Citation, ProviderItem, Signature, WebSource
from aichat_server.core.errors import Reason
from aichat_server.core.texts import storable
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import CitationFound, ItemFound, ProviderEvent, Signed, StopReason
from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.gateway.answer import AnswerReader, decoded
from aichat_server.providers.gateway.figures import Path, to_count
from aichat_server.providers.gateway.responses_request import CALL, MESSAGE, REASONING

Events: TypeAlias = tuple[ProviderEvent, ...]
SEARCH = "web_search_call"
INCOMPLETE = {"max_output_tokens": StopReason.MAX_TOKENS}


class ResponsesReader(AnswerReader):
    """Reads the events of a response."""

    FIGURES: ClassVar[Mapping[str, Path]] = {
        "input": ("input_tokens",),
        "cached": ("input_tokens_details", "cached_tokens"),
        "cache_write": ("input_tokens_details", "cache_write_tokens"),
        "output": ("output_tokens",),
        "reasoning": ("output_tokens_details", "reasoning_tokens"),
        "web_searches": ("tool_usage", "web_search", "num_requests"),
    }
    WRITTEN: ClassVar[frozenset[str]] = frozenset({"output"})

    def __init__(self, provider: str, request: ProviderRequest) -> None:
        super().__init__(provider, request)
        self._calls: dict[int, _OpenCall] = {}
        """By the place of their item in the output."""
        self._has_calls = False
        self._searches = 0
        self._summaries = 0
        """The summaries of the open reasoning item so far."""
        self._reasoned = False
        """Whether the open reasoning item has shown any text."""
        self._told = 0
        """The code points of the open message's earlier contents: its citations count from their own one."""
        self._tier: object = None
        """The class of service, in OpenAI's word."""
        self._handlers: dict[str, Callable[[Event], Events]] = {
            "response.refusal.delta": self._refused,
            "response.reasoning_summary_part.added": self._summary_begins,
            "response.reasoning_summary_text.delta": self._reasons,
            "response.reasoning_text.delta": self._reasons,
            "response.output_text.done": self._text_ends,
            "response.output_text.annotation.added": self._cites,
            "response.output_item.added": self._item_begins,
            "response.function_call_arguments.delta": self._argues,
            "response.output_item.done": self._item_ends,
            "response.completed": self._completed,
            "response.incomplete": self._incomplete,
            "response.failed": self._failed,
            "error": self._failed,
            "": self._untyped,
        }

    def event(self, data: bytes) -> Events:
        """See AnswerReader.event."""
        if self.ended:
            return ()
        event = read_event(data)
        if event.type == "response.output_text.delta":
            return self.text(_string(event.delta))
        handle = self._handlers.get(event.type)
        return handle(event) if handle is not None else ()

    def usage(self) -> Usage:
        """Cached tokens are part of the input, and reasoning is part of the output."""
        told = self.figures
        read = min(told["cached"], told["input"])
        written = min(told["cache_write"], told["input"] - read)
        return Usage(
            input=told["input"] - read - written,
            cache_read=read,
            cache_write=written,
            output=told["output"],
            reasoning=told["reasoning"],
            web_searches=told["web_searches"] or self._searches,
            percent=self.request.percent(self._tier),
            estimated=read + written < told["cached"] + told["cache_write"],
        )

    def _refused(self, _: Event) -> Events:
        self.fault = self.failure(Reason.ANSWER_REFUSED)
        return ()

    def _reasons(self, event: Event) -> Events:
        events = self.reasoning(_string(event.delta))
        self._reasoned = self._reasoned or bool(events)
        return events

    def _summary_begins(self, _: Event) -> Events:
        self._summaries += 1
        return self.reasoning("\n\n") if self._summaries > 1 else ()

    def _text_ends(self, event: Event) -> Events:
        self._told += len(storable(_string(event.text)))
        return ()

    def _cites(self, event: Event) -> Events:
        told = event.annotation if isinstance(event.annotation, Mapping) else {}
        url, title = told.get("url"), told.get("title")
        # The others are about files that nobody gave it.
        if told.get("type") != "url_citation" or not isinstance(url, str):
            return ()
        start, end = (to_count(told.get(name), 1 << 30) or 0 for name in ("start_index", "end_index"))
        named = storable(title) if isinstance(title, str) else ""
        span = (self._told + start, self._told + end) if end else (0, 0)
        return (CitationFound(Citation(WebSource(storable(url)), named, "", *span)),)

    def _item_begins(self, event: Event) -> Events:
        item = decoded(_ITEMS, bytes(event.item))
        self._summaries, self._told, self._reasoned = 0, 0, False
        return self._call_begins(event.output_index, item) if item.type == CALL else ()

    def _call_begins(self, place: int, item: _Item) -> Events:
        self._calls[place] = call = _OpenCall(_string(item.call_id))
        self._has_calls = True
        return self.call_begins(call.call_id, _string(item.name))

    def _argues(self, event: Event) -> Events:
        call = self._calls.get(event.output_index)
        if call is None:
            return ()
        call.has_arguments = True
        return self.call_arguments(call.call_id, _string(event.delta))

    def _item_ends(self, event: Event) -> Events:
        item = decoded(_ITEMS, bytes(event.item))
        match item.type:
            case "message":
                # One without text is no part.
                return (Signed(self._signature(MESSAGE, _head(item))),) if self._told else ()
            case "function_call":
                return tuple(self._call_ends(event.output_index, item))
            case "reasoning":
                return (Signed(self._signature(REASONING, _text(event.item)), alone=not self._reasoned),)
            case _:
                self._searches += item.type == SEARCH and _is_search(item.action)
                return (ItemFound(ProviderItem(self.provider, storable(item.type), storable(_text(event.item)))),)

    def _call_ends(self, place: int, item: _Item) -> Iterator[ProviderEvent]:
        if place not in self._calls:
            yield from self._call_begins(place, item)
        call = self._calls.pop(place)
        if not call.has_arguments:
            yield from self.call_arguments(call.call_id, _string(item.arguments))
        yield Signed(self._signature(CALL, _head(item)), storable(call.call_id))
        if item.status != "incomplete":
            yield from self.call_ends(call.call_id)

    def _signature(self, kind: str, data: str) -> Signature:
        return Signature(self.provider, storable(data), kind)

    def _completed(self, event: Event) -> Events:
        self._end(event.response)
        self.stop = StopReason.TOOL_USE if self._has_calls else StopReason.END_TURN
        return ()

    def _incomplete(self, event: Event) -> Events:
        response = self._end(event.response)
        details = response.incomplete_details
        reason = details.get("reason") if isinstance(details, Mapping) else None
        if reason == "content_filter":
            self.fault = self.failure(Reason.ANSWER_REFUSED)
        self.stop = INCOMPLETE.get(str(reason), StopReason.OTHER)
        return ()

    def _failed(self, event: Event) -> Events:
        response = self._end(event.response)
        self.broken_off(event.error or response.error or {"code": event.code, "message": event.message})
        return ()

    def _untyped(self, event: Event) -> Events:
        return self._failed(event) if event.error else ()

    def _end(self, told: msgspec.Raw) -> _Response:
        response = decoded(_RESPONSES, bytes(told)) if told else _Response()
        self.ended, self._tier = True, response.service_tier
        tools = {"tool_usage": response.tool_usage} if response.tool_usage else {}
        if isinstance(response.usage, Mapping):
            self.count({**response.usage, **tools})
        return response


class Event(msgspec.Struct):
    """What is read of an event."""

    type: str = ""
    delta: Any = ""
    output_index: int = 0
    item: msgspec.Raw = msgspec.Raw()
    response: msgspec.Raw = msgspec.Raw()
    annotation: Any = None
    text: Any = ""
    error: Any = None
    code: Any = None
    message: Any = None
    choices: Any = None
    """Of a completion."""


class _Item(msgspec.Struct):
    # Some items have objects where others have texts.
    type: str = ""
    id: Any = None
    status: Any = None
    phase: Any = None
    call_id: Any = ""
    name: Any = ""
    arguments: Any = ""
    action: Any = None


class _Response(msgspec.Struct):
    usage: Any = None
    error: Any = None
    incomplete_details: Any = None
    tool_usage: Any = None
    service_tier: Any = None


@dataclass(slots=True)
class _OpenCall:
    call_id: str
    has_arguments: bool = False


_EVENTS = msgspec.json.Decoder(Event)
_ITEMS = msgspec.json.Decoder(_Item)
_RESPONSES = msgspec.json.Decoder(_Response)


def read_event(data: bytes) -> Event:
    """Returns an event. Raises BrokenStreamError if it is none."""
    return decoded(_EVENTS, data)


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _is_search(action: object) -> bool:
    """Whether a call searched: it may open a page instead, which costs nothing."""
    return isinstance(action, Mapping) and action.get("type") == "search"


def _text(raw: msgspec.Raw) -> str:
    return bytes(raw).decode(errors="replace")


def _head(item: _Item) -> str:
    """Returns what OpenAI's own items have besides their content, as JSON."""
    head = {"id": item.id, "status": item.status, "phase": item.phase}
    return msgspec.json.encode({name: value for name, value in head.items() if value is not None}).decode()
