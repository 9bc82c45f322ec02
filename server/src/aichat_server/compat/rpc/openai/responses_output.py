"""The events of a response's output: its items one after the other, each with what it consists of.

The same events of an answer always make the same events here, for each reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import msgspec

from aichat_server.compat.domain.openai.responses_marks import MESSAGE, OPENAI, item_id, sealed
from aichat_server.compat.domain.openai.responses_tools import OwnTool
from aichat_server.compat.rpc.openai.responses_items import (
    annotations_of,
    custom_input,
    message_json,
    search_json,
    text_json,
)
from aichat_server.content.parts import Citation, Part, ProviderItem, ReasoningPart, Signature, TextPart, ToolCallPart
from aichat_server.generations.domain.stream import ContentShown, ToolCallWhole
from aichat_server.providers.domain.events import (
    CitationFound,
    ItemFound,
    PartEnd,
    ReasoningDelta,
    Signed,
    TextDelta,
    ToolCallDelta,
    ToolCallStart,
)

Json = dict[str, Any]
Told = tuple[str, Json]
"""An event's type, and its fields."""


_NO_TOOL = OwnTool("")


@dataclass(slots=True)
class _Open:
    """An item that is being written."""

    kind: str
    place: Json
    """Its id and its index, as its events tell them."""
    texts: list[str] = field(default_factory=list)
    citations: list[Citation] = field(default_factory=list)
    signature: Signature | None = None
    tool: OwnTool = _NO_TOOL
    """The tool that it calls."""

    @property
    def text(self) -> str:
        """What has been written."""
        return "".join(self.texts)

    @property
    def id(self) -> str:
        """The item's."""
        return str(self.place["item_id"])


class Output:
    """Writes the output of one response."""

    def __init__(self, generation_id: UUID, tools: Mapping[str, OwnTool], *, seals: bool) -> None:
        """`tools`: how the caller knows them, by the names of their functions.

        `seals`: whether the caller returns reasoning with its marks.
        """
        self._generation_id = generation_id
        self._tools = tools
        self._seals = seals
        self._items: list[Json | None] = []
        self._parts = 0
        self._open: _Open | None = None
        """The message or the reasoning that is being written."""
        self._calls: dict[str, _Open] = {}

    @property
    def items(self) -> list[Json]:
        """The items that are whole."""
        return [item for item in self._items if item is not None]

    @property
    def writes_text(self) -> Json | None:
        """The place of the message that is being written; None if none is."""
        return self._open.place if self._open is not None and self._open.kind == "message" else None

    def take_text(self, text: str) -> None:
        """Takes more of the message that is being written."""
        if self._open is not None:
            self._open.texts.append(text)

    def write(self, event: ContentShown) -> Iterator[Told]:  # noqa: C901 — one case for each kind
        """Yields the events for one of the answer."""
        match event:
            case TextDelta(text):
                yield from self._opened("message")
                self.take_text(text)
                place = self._open.place if self._open is not None else {}
                yield "response.output_text.delta", {**place, "content_index": 0, "delta": text, "logprobs": []}
            case ReasoningDelta(text):
                yield from self._reasons(text)
            case ToolCallStart(call_id, name):
                yield from self.close()
                yield from self._call_begins(call_id, name)
            case ToolCallDelta(call_id, text):
                yield from self._argues(self._calls[call_id], text)
            case ToolCallWhole(call):
                yield from self._call_ends(call)
            case CitationFound(citation):
                yield from self._opened("message")
                yield from self._cites(citation)
            case ItemFound(item):
                yield from self.close()
                yield from self._found(item)
            case Signed():
                yield from self._signed(event)
            case PartEnd():
                if self._open is not None and self._open.kind == "reasoning":
                    yield from self.close()

    def close(self, status: str = "completed") -> Iterator[Told]:
        """Yields the end of the item that is being written. `status`: whether it is whole."""
        opened, self._open = self._open, None
        if opened is None:
            return
        if opened.kind == "message":
            yield from self._message_ends(opened, status)
        else:
            yield from self._reasoning_ends(opened)

    def end(self, status: str) -> Iterator[Told]:
        """Yields the ends of all that is being written."""
        yield from self.close(status)
        for call_id, opened in list(self._calls.items()):
            yield from self._call_ends(ToolCallPart(call_id, opened.tool.name, opened.text), status)

    def _opened(self, kind: str) -> Iterator[Told]:
        if self._open is not None and self._open.kind == kind:
            return
        yield from self.close()
        self._open = opened = self._begun(kind, "msg" if kind == "message" else "rs")
        if kind == "message":
            yield self._added(opened, message_json(opened.id, "in_progress", []))
            yield "response.content_part.added", {**opened.place, "content_index": 0, "part": text_json("", [])}
        else:
            yield self._added(opened, {"id": opened.id, "type": "reasoning", "summary": []})

    def _begun(self, kind: str, prefix: str) -> _Open:
        """Returns a new item, which has its place in the output and among the answer's parts."""
        place = {"item_id": item_id(prefix, self._generation_id, self._parts), "output_index": len(self._items)}
        self._items.append(None)
        self._parts += 1
        return _Open(kind, place)

    def _reasons(self, text: str) -> Iterator[Told]:
        yield from self._opened("reasoning")
        opened = self._open
        if opened is None:
            return
        if not opened.texts:
            yield "response.reasoning_summary_part.added", {**opened.place, "summary_index": 0, "part": _summary("")}
        opened.texts.append(text)
        yield "response.reasoning_summary_text.delta", {**opened.place, "summary_index": 0, "delta": text}

    def _reasoning_ends(self, opened: _Open) -> Iterator[Told]:
        text = opened.text
        if opened.texts:
            at = {**opened.place, "summary_index": 0}
            yield "response.reasoning_summary_text.done", {**at, "text": text}
            yield "response.reasoning_summary_part.done", {**at, "part": _summary(text)}
        item: Json = {"id": opened.id, "type": "reasoning", "summary": [_summary(text)] if opened.texts else []}
        if self._seals and opened.signature is not None:
            item["encrypted_content"] = sealed(ReasoningPart(text, opened.signature))
        yield self._done(opened, item)

    def _cites(self, citation: Citation) -> Iterator[Told]:
        if (opened := self._open) is None:
            return
        number = len(list(annotations_of(opened.citations, 0)))
        opened.citations.append(citation)
        for annotation in annotations_of([citation], len(opened.text)):
            told = {**opened.place, "content_index": 0, "annotation_index": number, "annotation": annotation}
            yield "response.output_text.annotation.added", told

    def _message_ends(self, opened: _Open, status: str) -> Iterator[Told]:
        text, mark = opened.text, opened.signature
        part = text_json(text, list(annotations_of(opened.citations, len(text))))
        at = {**opened.place, "content_index": 0}
        yield "response.output_text.done", {**at, "text": text, "logprobs": []}
        yield "response.content_part.done", {**at, "part": part}
        yield self._done(opened, message_json(opened.id, status, [part], _phase(mark)))
        if mark is not None:
            yield from self._sealed(TextPart("", signature=mark), mark.provider)

    def _signed(self, signed: Signed) -> Iterator[Told]:
        if signed.call_id is not None:
            self._calls[signed.call_id].signature = signed.signature
            return
        if signed.alone:
            yield from self.close()
        if self._open is None:
            yield from self._opened("reasoning")
        if self._open is not None:
            self._open.signature = signed.signature
        yield from self.close()

    def _call_begins(self, call_id: str, name: str) -> Iterator[Told]:
        tool = self._tools.get(name) or OwnTool(name)
        self._calls[call_id] = opened = self._begun("call", "ctc" if tool.takes_text else "fc")
        opened.tool = tool
        yield self._added(opened, self._call(opened, call_id, "", "in_progress"))

    def _argues(self, opened: _Open, text: str) -> Iterator[Told]:
        opened.texts.append(text)
        # The text that a custom tool gets is inside of its arguments.
        if not opened.tool.takes_text:
            yield "response.function_call_arguments.delta", {**opened.place, "delta": text}

    def _call_ends(self, call: ToolCallPart, status: str = "completed") -> Iterator[Told]:
        opened = self._calls.pop(call.call_id)
        if opened.tool.takes_text:
            text = custom_input(call.arguments)
            yield "response.custom_tool_call_input.delta", {**opened.place, "delta": text}
            yield "response.custom_tool_call_input.done", {**opened.place, "input": text}
        else:
            told = {**opened.place, "name": opened.tool.name, "arguments": call.arguments}
            yield "response.function_call_arguments.done", told
        yield self._done(opened, self._call(opened, call.call_id, call.arguments, status))
        if (mark := opened.signature) is not None:
            yield from self._sealed(ToolCallPart(call.call_id, "", "", mark), mark.provider)

    def _call(self, opened: _Open, call_id: str, arguments: str, status: str) -> Json:
        told: Json = {"id": opened.id, "call_id": call_id, "name": opened.tool.name, "status": status}
        if opened.tool.namespace is not None:
            told["namespace"] = opened.tool.namespace
        if opened.tool.takes_text:
            return {**told, "type": "custom_tool_call", "input": custom_input(arguments) if arguments else ""}
        return {**told, "type": "function_call", "arguments": arguments}

    def _found(self, item: ProviderItem) -> Iterator[Told]:
        opened = self._begun("item", "ws")
        if item.provider == OPENAI:
            told = msgspec.json.decode(item.json)
            yield self._added(opened, told)
            yield self._done(opened, told)
            return
        if (search := search_json(opened.id, item)) is not None:
            yield self._added(opened, {**search, "status": "in_progress"})
            yield "response.web_search_call.searching", opened.place
            yield "response.web_search_call.completed", opened.place
            yield self._done(opened, search)
        else:
            # It has no place in the output.
            self._items.pop()
        yield from self._sealed(item, item.provider)

    def _sealed(self, part: Part, provider: str) -> Iterator[Told]:
        """Yields an item that only carries what this API has no place for. OpenAI needs none."""
        if not self._seals or provider == OPENAI:
            return
        index = len(self._items)
        item = {"id": f"rs_{self._generation_id.hex}_m{index}", "type": "reasoning", "summary": []}
        self._items.append(item := {**item, "encrypted_content": sealed(part)})
        yield "response.output_item.added", {"output_index": index, "item": {**item, "encrypted_content": ""}}
        yield "response.output_item.done", {"output_index": index, "item": item}

    def _added(self, opened: _Open, item: Json) -> Told:
        return "response.output_item.added", {"output_index": opened.place["output_index"], "item": item}

    def _done(self, opened: _Open, item: Json) -> Told:
        index = opened.place["output_index"]
        self._items[index] = item
        return "response.output_item.done", {"output_index": index, "item": item}


def _summary(text: str) -> Json:
    return {"type": "summary_text", "text": text}


class _Phase(msgspec.Struct):
    phase: str | None = None


def _phase(signature: Signature | None) -> str | None:
    """Returns which part of its work OpenAI says that a message is from."""
    if signature is None or signature.kind != MESSAGE:
        return None
    try:
        return msgspec.json.decode(signature.data, type=_Phase).phase
    except msgspec.MsgspecError:
        return None
