"""The items of a response's output, and their parts, as the Responses API tells them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from aichat_server.content.parts import Citation, ProviderItem, WebSource

Json = dict[str, Any]


class _Input(msgspec.Struct):
    query: str = ""


class _ServerTool(msgspec.Struct):
    name: str = ""
    input: _Input = msgspec.field(default_factory=_Input)


class _Custom(msgspec.Struct):
    input: str


def text_json(text: str, annotations: list[Json]) -> Json:
    """Returns the text of a message."""
    return {"type": "output_text", "text": text, "annotations": annotations, "logprobs": []}


def message_json(item_id: str, status: str, content: list[Json], phase: str | None = None) -> Json:
    """Returns a message."""
    told = {"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content}
    return {**told, "phase": phase} if phase is not None else told


def annotations_of(citations: Iterable[Citation], length: int) -> Iterator[Json]:
    """Yields the pages that a text of `length` code points cites."""
    for one in citations:
        if isinstance(one.source, WebSource):
            place = {"start_index": one.start, "end_index": one.end or length}
            yield {"type": "url_citation", **place, "title": one.title, "url": one.source.url}


def search_json(item_id: str, item: ProviderItem) -> Json | None:
    """Returns another vendor's search as OpenAI's; None if the item is none."""
    if item.kind != "server_tool_use":
        return None
    try:
        told = msgspec.json.decode(item.json, type=_ServerTool)
    except msgspec.MsgspecError:
        return None
    action = {"type": "search", "query": told.input.query, "queries": [told.input.query]}
    return {"id": item_id, "type": "web_search_call", "status": "completed", "action": action}


def custom_input(arguments: str) -> str:
    """Returns the text that a custom tool is called with: all of the arguments if they have another form."""
    try:
        return msgspec.json.decode(arguments, type=_Custom).input
    except (msgspec.MsgspecError, RecursionError):
        return arguments
