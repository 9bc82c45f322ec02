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

Upload = Callable[[Path | bytes], Awaitable[v1.File]]


async def parts_of(contents: Sequence[Content] | None, upload: Upload) -> list[v1.Part]:
    """Returns a message's parts; raises InvalidRequestError, naming the part, if one is of a wrong type.

    Raises OSError if a file cannot be read.
    """
    if not isinstance(contents, list | tuple):
        raise refusal("parts", f"must be a list, not {type(contents).__name__}")
    return [await _part(content, f"parts[{number}]", upload) for number, content in enumerate(contents)]


async def _part(content: object, place: str, upload: Upload) -> v1.Part:
    match content:
        case v1.Part():
            return content
        case str():
            return v1.Part(text=v1.TextPart(text=content))
        case Image():
            return v1.Part(image=await _image(content, upload))
        case Document():
            return v1.Part(document=await _document(content, upload))
        case Audio():
            file = await _held(content.source, upload)
            return v1.Part(audio=v1.AudioPart(data=file.get("data"), file_id=file.get("file_id")))
        case ToolResult():
            return v1.Part(tool_result=await _result(content, place, upload))
    kinds = "str, Image, Document, Audio, ToolResult or Part"
    raise refusal(place, f"must be {kinds}, not {'None' if content is None else type(content).__name__}")


async def _result(result: ToolResult, place: str, upload: Upload) -> v1.ToolResultPart:
    parts = [
        await _result_part(one, f"{place}.content[{number}]", upload)
        for number, one in enumerate(_contents(result.content))
    ]
    return v1.ToolResultPart(call_id=result.call_id, parts=parts, is_error=result.is_error)


def _contents(content: object) -> Sequence[object]:
    if content is None:
        return ()
    return content if isinstance(content, list | tuple) else [content]


async def _result_part(content: object, place: str, upload: Upload) -> v1.ResultPart:
    match content:
        case str():
            return v1.ResultPart(text=v1.TextPart(text=content))
        case Image():
            return v1.ResultPart(image=await _image(content, upload))
        case Document():
            return v1.ResultPart(document=await _document(content, upload))
    raise refusal(place, f"must be str, Image or Document, not {type(content).__name__}")


async def _image(image: Image, upload: Upload) -> v1.ImagePart:
    return v1.ImagePart(**await _held(image.source, upload))


async def _document(document: Document, upload: Upload) -> v1.DocumentPart:
    return v1.DocumentPart(**await _held(document.source, upload), title=document.title)


class _Held(TypedDict, total=False):
    """The one field of a part that says where its bytes are."""

    data: bytes
    url: str
    file_id: str


async def _held(source: Source, upload: Upload) -> _Held:
    match source:
        case Link(url):
            return {"url": url}
        case FileId(file_id):
            return {"file_id": file_id}
        case Path() if (await asyncio.to_thread(source.stat)).st_size < UPLOAD_FROM_BYTES:
            return {"data": await asyncio.to_thread(source.read_bytes)}
        case bytes() if len(source) < UPLOAD_FROM_BYTES:
            return {"data": source}
        case _:
            return {"file_id": (await upload(source)).file_id}
