"""Turns content into parts of a request: small files go inside of it, larger ones are uploaded first."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import TypedDict

from aichat_sdk._checking import refusal
from aichat_sdk._proto.aichat import v1
from aichat_sdk.content import Audio, Content, Document, FileId, Image, Link, Source, ToolResult

UPLOAD_FROM_BYTES = 1 << 20
"""Files of this size or more are uploaded."""

# A request has at most 32 MiB, with up to 4 MiB of text.
_MOST_BYTES_INSIDE = 16 << 20

Upload = Callable[[Path | bytes], Awaitable[v1.File]]


async def parts_of(contents: Sequence[Content] | None, upload: Upload) -> list[v1.Part]:
    """Returns a message's parts; raises ArgumentError, naming the part, if one is of a wrong type.

    Raises OSError if a file cannot be read.
    """
    if not isinstance(contents, list | tuple):
        raise refusal("parts", f"must be a list, not {type(contents).__name__}")
    sender = _Sender(upload)
    return [await _part(content, f"parts[{number}]", sender) for number, content in enumerate(contents)]


async def _part(content: object, place: str, sender: _Sender) -> v1.Part:
    match content:
        case v1.Part():
            return content
        case str():
            return v1.Part(text=v1.TextPart(text=content))
        case Image():
            return v1.Part(image=await _image(content, sender))
        case Document():
            return v1.Part(document=await _document(content, sender))
        case Audio():
            file = await sender.send(content.source)
            return v1.Part(audio=v1.AudioPart(data=file.get("data"), file_id=file.get("file_id")))
        case ToolResult():
            return v1.Part(tool_result=await _result(content, place, sender))
    kinds = "str, Image, Document, Audio, ToolResult or Part"
    raise refusal(place, f"must be {kinds}, not {'None' if content is None else type(content).__name__}")


async def _result(result: ToolResult, place: str, sender: _Sender) -> v1.ToolResultPart:
    parts = [
        await _result_part(one, f"{place}.content[{number}]", sender)
        for number, one in enumerate(_contents(result.content))
    ]
    return v1.ToolResultPart(call_id=result.call_id, parts=parts, is_error=result.is_error)


def _contents(content: object) -> Sequence[object]:
    if content is None:
        return ()
    return content if isinstance(content, list | tuple) else [content]


async def _result_part(content: object, place: str, sender: _Sender) -> v1.ResultPart:
    match content:
        case str():
            return v1.ResultPart(text=v1.TextPart(text=content))
        case Image():
            return v1.ResultPart(image=await _image(content, sender))
        case Document():
            return v1.ResultPart(document=await _document(content, sender))
    raise refusal(place, f"must be str, Image or Document, not {type(content).__name__}")


async def _image(image: Image, sender: _Sender) -> v1.ImagePart:
    return v1.ImagePart(**await sender.send(image.source))


async def _document(document: Document, sender: _Sender) -> v1.DocumentPart:
    return v1.DocumentPart(**await sender.send(document.source), title=document.title)


class _Held(TypedDict, total=False):
    """The one field of a part that says where its bytes are."""

    data: bytes
    url: str
    file_id: str


class _Sender:
    """Puts small files into one request as long as they fit, and uploads the others."""

    def __init__(self, upload: Upload) -> None:
        self._upload = upload
        self._room = _MOST_BYTES_INSIDE

    async def send(self, source: Source) -> _Held:
        """Returns where the request has the bytes; raises OSError if they cannot be read."""
        if isinstance(source, Link):
            return {"url": source.url}
        if isinstance(source, FileId):
            return {"file_id": source.file_id}
        size = len(source) if isinstance(source, bytes) else (await asyncio.to_thread(source.stat)).st_size
        if size >= UPLOAD_FROM_BYTES or size > self._room:
            return {"file_id": (await self._upload(source)).file_id}
        self._room -= size
        return {"data": source if isinstance(source, bytes) else await asyncio.to_thread(source.read_bytes)}
