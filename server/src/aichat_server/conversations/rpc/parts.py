"""The parts of messages between the domain and the contract."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import assert_never

from aichat.v1 import messages_pb2, parts_pb2

from aichat_server.content.parts import (
    AudioPart,
    Citation,
    DocumentPart,
    DocumentSource,
    ImagePart,
    Link,
    Part,
    ProviderItem,
    ReasoningPart,
    StoredFile,
    TextPart,
    ToolCallPart,
    ToolResultPart,
    WebSource,
)


def parts_to_proto(parts: Iterable[Part], *, unfold: bool) -> Iterator[messages_pb2.Part]:
    """Yields stored parts. `unfold`: with the texts of reasoning and the JSON of provider items."""
    for part in parts:
        yield part_to_proto(part, unfold=unfold)


def part_to_proto(part: Part, *, unfold: bool) -> messages_pb2.Part:  # noqa: C901 — one case for each kind
    """A stored part. `unfold`: see parts_to_proto."""
    match part:
        case TextPart(text, citations):
            cited = map(citation_to_proto, citations)
            return messages_pb2.Part(text=messages_pb2.TextPart(text=text, citations=cited))
        case ImagePart(source):
            return messages_pb2.Part(image=_image(source))
        case DocumentPart(source, title):
            return messages_pb2.Part(document=_document(source, title))
        case AudioPart(file):
            return messages_pb2.Part(audio=_audio(file))
        case ToolCallPart():
            return messages_pb2.Part(tool_call=tool_call_to_proto(part))
        case ToolResultPart(call_id, parts, is_error):
            inner = map(_result_part, parts)
            result = messages_pb2.ToolResultPart(call_id=call_id, parts=inner, is_error=is_error)
            return messages_pb2.Part(tool_result=result)
        case ReasoningPart(text):
            reasoning = parts_pb2.ReasoningPart(text=text if unfold else "", folded=not unfold)
            return messages_pb2.Part(reasoning=reasoning)
        case ProviderItem(provider, kind, told):
            item = parts_pb2.ProviderItem(provider=provider, type=kind, json=told if unfold else "")
            item.folded = not unfold
            return messages_pb2.Part(provider_item=item)
        case _:
            assert_never(part)


def _result_part(part: TextPart | ImagePart | DocumentPart) -> messages_pb2.ResultPart:
    match part:
        case TextPart(text):
            return messages_pb2.ResultPart(text=messages_pb2.TextPart(text=text))
        case ImagePart(source):
            return messages_pb2.ResultPart(image=_image(source))
        case DocumentPart(source, title):
            return messages_pb2.ResultPart(document=_document(source, title))
        case _:
            assert_never(part)


def tool_call_to_proto(call: ToolCallPart) -> parts_pb2.ToolCallPart:
    """A tool call, with a mark on arguments that are no JSON object."""
    return parts_pb2.ToolCallPart(
        call_id=call.call_id,
        name=call.name,
        arguments=call.arguments,
        arguments_invalid=not _is_object(call.arguments),
    )


def citation_to_proto(citation: Citation) -> parts_pb2.Citation:
    """A citation."""
    proto = parts_pb2.Citation(
        title=citation.title, quote=citation.quote, text_start=citation.start, text_end=citation.end
    )
    match citation.source:
        case WebSource(url):
            proto.url = url
        case DocumentSource(index, first_page, last_page):
            proto.document_index, proto.first_page, proto.last_page = index, first_page, last_page
        case unknown:
            assert_never(unknown)
    return proto


def _image(source: StoredFile | Link) -> parts_pb2.ImagePart:
    if isinstance(source, Link):
        return parts_pb2.ImagePart(url=source.url)
    return parts_pb2.ImagePart(
        file_id=source.sha256,
        media_type=source.media_type,
        size_bytes=source.size,
        width=source.width,
        height=source.height,
    )


def _audio(file: StoredFile) -> parts_pb2.AudioPart:
    return parts_pb2.AudioPart(file_id=file.sha256, media_type=file.media_type, size_bytes=file.size)


def _document(source: StoredFile | Link, title: str) -> parts_pb2.DocumentPart:
    if isinstance(source, Link):
        return parts_pb2.DocumentPart(url=source.url, title=title)
    return parts_pb2.DocumentPart(
        file_id=source.sha256,
        media_type=source.media_type,
        size_bytes=source.size,
        pages=source.pages,
        title=title,
    )


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False
