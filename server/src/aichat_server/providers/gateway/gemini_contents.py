"""A conversation as Gemini takes it."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import assert_never

import msgspec

from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Link,
    Part,
    ProviderItem,
    ReasoningPart,
    Role,
    Signature,
    StoredFile,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.core.texts import is_blank
from aichat_server.providers.domain.requests import ProviderRequest
from aichat_server.providers.gateway.body import Base64File, TextFile
from aichat_server.providers.gateway.gemini_reader import BEFORE_3, TEXT_MARK
from aichat_server.providers.gateway.prompt import Said

Json = Mapping[str, object]
Media = ImagePart | DocumentPart | AudioPart

UNSIGNED = "skip_thought_signature_validator"
"""Google's own replacement for the mark of a call that Gemini has not written. From Gemini 3 on, calls need one."""
# Google's names of media types that have several.
MEDIA_TYPES = {"audio/mpeg": "audio/mp3"}
UNREADABLE = {"image/gif": "(GIF image not shown: this model cannot read it)"}
PDF, TEXT = "application/pdf", "text/plain"


def content(role: str, parts: Iterable[object]) -> Json:
    """Returns what one side says."""
    return {"role": role, "parts": list(parts)}


def contents(said: Iterable[Said], request: ProviderRequest) -> Iterator[Json]:
    """Yields what each side says, in turn."""
    names: dict[str, str] = {}
    for role, parts in said:
        match role:
            case Role.USER:
                yield content("user", _of_user(parts, names, request))
            case Role.ASSISTANT:
                names = {part.call_id: part.name for part in parts if isinstance(part, ToolCallPart)}
                yield content("model", _of_model(parts, request))
            case _:
                assert_never(role)


def _of_model(parts: Sequence[Part], request: ProviderRequest) -> Iterator[object]:
    needs_mark = not request.model.startswith(BEFORE_3)
    items = _returned(parts) if request.options.web_search is not None else set()
    for part in parts:
        match part:
            case TextPart(text, signature=mark):
                yield {"text": text, **_marked(mark)}
            case ReasoningPart(text, mark):
                thought = {} if mark is not None and mark.kind == TEXT_MARK else {"thought": True}
                yield {"text": text, **thought, **_marked(mark)}
            case ToolCallPart(call_id, name, arguments, mark):
                call = {"id": call_id, "name": name, "args": _arguments(arguments)}
                own = _marked(mark) or ({"thoughtSignature": UNSIGNED} if needs_mark else {})
                yield {"functionCall": call, **own}
                # Of calls at once, Gemini marks the first.
                needs_mark = False
            case ProviderItem(json=item):
                if part in items:
                    yield msgspec.Raw(item.encode())
            case ImagePart() | DocumentPart() | AudioPart() | ToolResultPart():
                """No model writes it."""
            case _:
                assert_never(part)


class _Search(msgspec.Struct):
    id: str = ""


class _Item(msgspec.Struct):
    call: _Search | None = msgspec.field(default=None, name="toolCall")
    result: _Search | None = msgspec.field(default=None, name="toolResponse")


def _returned(parts: Sequence[Part]) -> set[ProviderItem]:
    """Returns the items that Gemini gets back. Of an answer that broke off, a search may lack its result."""
    items = {part: msgspec.json.decode(part.json, type=_Item) for part in parts if isinstance(part, ProviderItem)}
    calls = {item.call.id for item in items.values() if item.call is not None}
    results = {item.result.id for item in items.values() if item.result is not None}
    lonely = calls ^ results
    return {part for part, item in items.items() if lonely.isdisjoint(_ids(item))}


def _ids(item: _Item) -> list[str]:
    return [search.id for search in (item.call, item.result) if search is not None]


def _marked(mark: Signature | None) -> dict[str, object]:
    return {"thoughtSignature": mark.data} if mark is not None else {}


def _arguments(arguments: str) -> object:
    """Returns the arguments as an object, also those that are none."""
    try:
        if isinstance(msgspec.json.decode(arguments), dict):
            return msgspec.Raw(arguments.encode())
    except (msgspec.MsgspecError, RecursionError):
        pass
    return {"arguments": arguments} if arguments else {}


def _of_user(parts: Sequence[Part], names: Mapping[str, str], request: ProviderRequest) -> Iterator[Json]:
    results = [part for part in parts if isinstance(part, ToolResultPart)]
    holds_media = not request.model.startswith(BEFORE_3)
    yield from (_result(result, names[result.call_id], holds_media=holds_media) for result in results)
    beside = (media for result in results for media in _media(result) if _text_file(media) is None)
    for part in (*(media for media in beside if not (holds_media and _is_inline(media))), *parts):
        match part:
            case TextPart(text):
                yield {"text": text}
            case ImagePart() | DocumentPart() | AudioPart():
                yield from _shown(part)
            case ToolResultPart() | ToolCallPart() | ReasoningPart() | ProviderItem():
                """A result, or nothing that a user says."""
            case _:
                assert_never(part)


def _result(result: ToolResultPart, name: str, *, holds_media: bool) -> Json:
    """Returns a result with its texts. From Gemini 3 on it also holds its images and documents."""
    texts = [text for part in result.parts for text in _texts(part, holds_media=holds_media)]
    told: object = texts[0] if len(texts) == 1 else texts or ""
    response: dict[str, object] = {
        "id": result.call_id,
        "name": name,
        "response": {"error" if result.is_error else "output": told},
    }
    if holds_media and (inline := [_data(part) for part in _media(result) if _is_inline(part)]):
        response["parts"] = inline
    return {"functionResponse": response}


def _texts(part: TextPart | ImagePart | DocumentPart, *, holds_media: bool) -> Iterator[object]:
    """Yields a result's texts: also a document's title, and what it says if it is text."""
    if isinstance(part, TextPart):
        yield part.text
    elif (file := _text_file(part)) is not None or (holds_media and _is_inline(part)):
        yield from _title(part)
        if file is not None:
            yield TextFile(file)


def _media(result: ToolResultPart) -> list[ImagePart | DocumentPart]:
    return [part for part in result.parts if not isinstance(part, TextPart)]


def _text_file(part: Media) -> StoredFile | None:
    file = part.source
    return file if isinstance(file, StoredFile) and file.media_type == TEXT else None


def _is_inline(part: Media) -> bool:
    """Whether a result can hold it: bytes that are no text."""
    file = part.source
    return isinstance(file, StoredFile) and file.media_type != TEXT and file.media_type not in UNREADABLE


def _shown(part: Media) -> Iterator[Json]:
    yield from ({"text": title} for title in _title(part))
    yield _data(part)


def _title(part: Media) -> Iterator[str]:
    if isinstance(part, DocumentPart) and not is_blank(part.title):
        yield part.title


def _data(part: Media) -> Json:
    file = part.source
    if isinstance(file, Link):
        usual = PDF if isinstance(part, DocumentPart) else "image/jpeg"
        return {"fileData": {"fileUri": file.url, "mimeType": mimetypes.guess_type(file.url)[0] or usual}}
    if (note := UNREADABLE.get(file.media_type)) is not None:
        return {"text": note}
    if file.media_type == TEXT:
        return {"text": TextFile(file)}
    return {"inlineData": {"mimeType": MEDIA_TYPES.get(file.media_type, file.media_type), "data": Base64File(file)}}
