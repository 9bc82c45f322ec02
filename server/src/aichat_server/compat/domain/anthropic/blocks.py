"""The content of messages, from Anthropic's blocks to parts."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec

from aichat_server.compat.domain.anthropic import marks
from aichat_server.compat.domain.anthropic.marks import ANTHROPIC, Marked
from aichat_server.compat.domain.anthropic.requests import Content, decode
from aichat_server.compat.domain.anthropic.versions import Version
from aichat_server.content.parts import (
    Citation,
    DocumentPart,
    ImagePart,
    Link,
    Part,
    ProviderItem,
    ReasoningPart,
    Role,
    Signature,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    WebSource,
)
from aichat_server.core.errors import invalid_request
from aichat_server.core.texts import storable
from aichat_server.files.domain.asked import AskedFile, ResultPart
from aichat_server.files.domain.links import public_link

_SEARCH_CITATION = "web_search_result_location"


class _Typed(msgspec.Struct):
    type: str


class _Source(msgspec.Struct):
    type: str
    data: str = ""
    url: str = ""
    file_id: str = ""
    content: Content = ""


class _Cites(msgspec.Struct):
    enabled: bool | None = None


class _Block(msgspec.Struct):
    """The fields of all blocks that become parts."""

    type: str
    text: str | None = None
    source: _Source | str | None = None
    title: str | None = None
    context: str | None = None
    citations: list[msgspec.Raw] | _Cites | None = None
    content: Content | None = None
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")
    tool_use_id: str = ""
    is_error: bool | None = None


class _Cited(msgspec.Struct):
    type: str
    url: str = ""
    title: str | None = None
    cited_text: str | None = None


_BLOCKS = msgspec.json.Decoder(_Block)
_CITATIONS = msgspec.json.Decoder(_Cited)
_TYPES = msgspec.json.Decoder(_Typed)
_OBJECTS = msgspec.json.Decoder(dict[str, msgspec.Raw])

_ASKED = frozenset({"text", "image", "document", "search_result", "tool_result"})
_ANSWERED = frozenset({"text", "thinking", "redacted_thinking", "tool_use"})
_IN_RESULTS = frozenset({"text", "image", "document", "search_result"})
_IN_CONTENT = frozenset({"text", "image"})


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the content of one request's messages."""

    version: Version
    cites: bool
    """Whether the model can be told to cite documents."""

    def parts(self, role: Role, content: Content, place: str) -> tuple[Part, ...]:
        """Returns a message's parts. Raises REQUEST_INVALID with the field of what cannot be carried."""
        if isinstance(content, str):
            return (TextPart(content),) if content else ()
        if role is Role.USER:
            asked = (self._asked(raw, f"{place}.{n}") for n, raw in enumerate(content))
            return tuple(part for parts in asked for part in parts)
        return _Answer(self.version).read(content, place)

    def _asked(self, raw: msgspec.Raw, place: str) -> Iterator[Part]:
        block = _block(raw, place, _ASKED)
        if block.type != "tool_result":
            yield from self._shown(block, place)
            return
        if not block.tool_use_id:
            raise invalid_request(f"{place}.tool_use_id", "Field required")
        inner: list[ResultPart] = []
        if isinstance(block.content, str):
            inner = [TextPart(block.content)] if block.content else []
        elif block.content is not None:
            for n, one in enumerate(block.content):
                at = f"{place}.content.{n}"
                inner += self._shown(_block(one, at, _IN_RESULTS), at)
        yield ToolResultPart(block.tool_use_id, tuple(inner), bool(block.is_error))

    def _shown(self, block: _Block, place: str) -> Iterator[ResultPart]:
        match block.type:
            case "text":
                if self.version is Version.STRICT and block.citations:
                    raise invalid_request(f"{place}.citations", "are for answers: leave them out")
                if text := _text(block, place):
                    yield TextPart(text)
            case "image":
                yield ImagePart(_file(_source(block, place), f"{place}.source"))
            case "document":
                self._check_citing(block, place)
                if block.context:
                    yield TextPart(block.context)
                yield from _document(_source(block, place), block.title or "", f"{place}.source")
            case _:
                self._check_citing(block, place)
                yield TextPart(_search_result(block, place))

    def _check_citing(self, block: _Block, place: str) -> None:
        if isinstance(block.citations, _Cites) and block.citations.enabled and not self.cites:
            raise invalid_request(f"{place}.citations", "need a model of Anthropic: leave them out")


class _Answer:
    """Reads the blocks of one answer."""

    def __init__(self, version: Version) -> None:
        self._version = version
        self._parts: list[Part] = []
        self._mark: Signature | None = None
        """The next call's."""

    def read(self, content: list[msgspec.Raw], place: str) -> tuple[Part, ...]:
        """Returns the parts of the answer."""
        for n, raw in enumerate(content):
            self._take(raw, f"{place}.{n}")
        return tuple(self._parts)

    def _take(self, raw: msgspec.Raw, place: str) -> None:
        kind = decode(raw, _TYPES, place).type
        if kind.endswith(("_tool_use", "_tool_result")):
            # What Anthropic's own tools did is its own affair.
            self._parts.append(ProviderItem(ANTHROPIC, storable(kind), storable(bytes(raw).decode())))
            return
        block = _block(raw, place, _ANSWERED)
        match block.type:
            case "text":
                if text := _text(block, place):
                    self._parts.append(TextPart(text, tuple(_citations(block, place))))
            case "thinking":
                self._thought(block.thinking, block.signature, marks.THINKING, f"{place}.signature")
            case "redacted_thinking":
                self._thought("", block.data, marks.REDACTED, f"{place}.data")
            case _:
                self._parts.append(_call(block, place, self._mark))
                self._mark = None

    def _thought(self, text: str, told: str, kind: str, place: str) -> None:
        mark = marks.unwrapped(place, told)
        if mark is None:
            signature = Signature(ANTHROPIC, storable(told), kind) if told else None
            self._parts.append(ReasoningPart(text, signature))
            return
        match mark.on:
            case Marked.REASONING:
                self._parts.append(ReasoningPart(text, mark.signature))
            case Marked.CALL:
                self._mark = mark.signature
            case Marked.ITEM:
                self._parts.append(ProviderItem(mark.provider, mark.kind, mark.data))
            case Marked.TEXT if self._parts and isinstance(last := self._parts[-1], TextPart):
                self._parts[-1] = msgspec.structs.replace(last, signature=mark.signature)
            case Marked.TEXT:
                """Its text has been left out."""


def _block(raw: msgspec.Raw, place: str, known: frozenset[str]) -> _Block:
    kind = decode(raw, _TYPES, place).type
    if kind not in known:
        raise invalid_request(f"{place}.type", f"must not be {kind!r} here: send {', '.join(sorted(known))}")
    return decode(raw, _BLOCKS, place)


def _text(block: _Block, place: str) -> str:
    if block.text is None:
        raise invalid_request(f"{place}.text", "Field required")
    return block.text


def _source(block: _Block, place: str) -> _Source:
    if not isinstance(block.source, _Source):
        raise invalid_request(f"{place}.source", "Field required")
    return block.source


def _file(source: _Source, place: str) -> AskedFile | Link:
    match source.type:
        case "base64":
            try:
                data = base64.b64decode(source.data, validate=True)
            except (binascii.Error, ValueError):
                raise invalid_request(f"{place}.data", "is not base64") from None
            return AskedFile("", "", 0, data=data, field=place)
        case "url":
            return public_link(f"{place}.url", source.url)
        case "file":
            return AskedFile(source.file_id, "", 0, field=place)
        case _:
            raise invalid_request(f"{place}.type", "must be one of base64, url and file")


def _document(source: _Source, title: str, place: str) -> Iterator[ResultPart]:
    if source.type == "text":
        yield DocumentPart(_text_file(source.data, place), title)
    elif source.type != "content":
        yield DocumentPart(_file(source, place), title)
    elif isinstance(source.content, str):
        yield DocumentPart(_text_file(source.content, place), title)
    else:
        yield from _document_of(source.content, title, f"{place}.content")


def _document_of(content: list[msgspec.Raw], title: str, place: str) -> Iterator[ResultPart]:
    """Yields a document that is made of blocks."""
    inner = [(_block(raw, f"{place}.{n}", _IN_CONTENT), f"{place}.{n}") for n, raw in enumerate(content)]
    if all(block.type == "text" for block, _ in inner):
        yield DocumentPart(_text_file("\n\n".join(_text(block, at) for block, at in inner), place), title)
        return
    # Only Anthropic has documents of texts and images.
    if title:
        yield TextPart(title)
    for block, at in inner:
        yield TextPart(_text(block, at)) if block.type == "text" else ImagePart(_file(_source(block, at), at))


def _text_file(text: str, place: str) -> AskedFile:
    return AskedFile("", "", 0, data=text.encode(errors="replace"), field=place)


def _search_result(block: _Block, place: str) -> str:
    """Returns a result of the caller's own search as text."""
    told = [block.content] if isinstance(block.content, str) else []
    if isinstance(block.content, list):
        blocks = [_block(raw, f"{place}.content.{n}", frozenset({"text"})) for n, raw in enumerate(block.content)]
        told = [one.text or "" for one in blocks]
    source = block.source if isinstance(block.source, str) else ""
    return "\n\n".join(filter(None, (block.title, source, *told)))


def _call(block: _Block, place: str, mark: Signature | None) -> ToolCallPart:
    for field in ("id", "name"):
        if not getattr(block, field):
            raise invalid_request(f"{place}.{field}", "Field required")
    decode(block.input, _OBJECTS, f"{place}.input")
    return ToolCallPart(block.id, block.name, bytes(block.input).decode(), mark)


def _citations(block: _Block, place: str) -> Iterator[Citation]:
    """Yields the citations that Anthropic takes back: those of its search."""
    if not isinstance(block.citations, list):
        return
    for n, raw in enumerate(block.citations):
        told = decode(raw, _CITATIONS, f"{place}.citations.{n}")
        if told.type == _SEARCH_CITATION:
            own = Signature(ANTHROPIC, storable(bytes(raw).decode()), told.type)
            yield Citation(WebSource(told.url), told.title or "", told.cited_text or "", signature=own)
