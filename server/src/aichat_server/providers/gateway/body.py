"""The body of a request to a vendor: JSON, in which values may be the content of stored files.

Without files it is one piece. With files it is read from the storage as it is sent: no file is in memory as a whole.
"""

from __future__ import annotations

import base64
import codecs
from collections.abc import AsyncIterator, Sequence
from typing import TypeAlias
from uuid import uuid4

import msgspec
from aiohttp.abc import AbstractStreamWriter
from aiohttp.payload import Payload

from aichat_server.content.parts import StoredFile
from aichat_server.core.errors import AichatError, Reason
from aichat_server.providers.domain.requests import FileReader

_JSON = "application/json"


class Base64File:
    """A value of a body: a prefix, and then the file's bytes in base64."""

    # No dataclass: msgspec would encode its fields.
    def __init__(self, file: StoredFile, prefix: str = "") -> None:
        """`prefix`: text that JSON need not escape."""
        self.file = file
        self.prefix = prefix


class TextFile:
    """A value of a body: the text that is the file's content."""

    def __init__(self, file: StoredFile) -> None:
        self.file = file


FileValue: TypeAlias = Base64File | TextFile


async def encoded(body: object, files: FileReader) -> bytes | FileBody:
    """Returns `body` as JSON. Raises what FileReader.read raises."""
    values: list[FileValue] = []
    place = uuid4().hex

    def marked(value: object) -> str:
        if not isinstance(value, Base64File | TextFile):
            raise TypeError(f"{type(value).__name__} has no form in JSON")
        values.append(value)
        return place

    json = msgspec.json.encode(body, enc_hook=marked)
    if not values:
        return json
    pieces = json.split(f'"{place}"'.encode())
    sizes = [await _size(value, files) for value in values]
    return FileBody(pieces, values, files, sum(map(len, pieces)) + sum(sizes))


class FileBody(Payload):
    """A body with files, which is read each time that it is sent."""

    def __init__(self, pieces: Sequence[bytes], values: Sequence[FileValue], files: FileReader, size: int) -> None:
        """`pieces`: the JSON before, between and behind the values; `size`: the bytes of the whole body."""
        super().__init__(pieces, content_type=_JSON)
        self._pieces = pieces
        self._values = values
        self._files = files
        self._size: int = size
        self.failure: AichatError | None = None
        """Why it could not be read to its end; None if it could."""

    async def read(self) -> AsyncIterator[bytes]:
        """Yields the body in pieces. Raises what FileReader.read raises."""
        yield self._pieces[0]
        for value, piece in zip(self._values, self._pieces[1:], strict=True):
            async for content in _json(value, self._files):
                yield content
            yield piece

    async def write(self, writer: AbstractStreamWriter) -> None:
        """Sends the body."""
        left = self._size
        try:
            async for piece in self.read():
                left -= len(piece)
                if left < 0:
                    break
                await writer.write(piece)
            if left:
                raise AichatError(Reason.FILES_UNAVAILABLE, "a stored file has not the size that it had")
        except AichatError as failure:
            # aiohttp raises another error.
            self.failure = failure
            raise

    async def write_with_length(self, writer: AbstractStreamWriter, content_length: int | None) -> None:  # noqa: ARG002 — it is the size
        """Sends the body, whose length is the one that was announced."""
        await self.write(writer)

    def decode(self, encoding: str = "utf-8", errors: str = "strict") -> str:  # noqa: ARG002 — it has none
        """Raises TypeError: the body is no string."""
        raise TypeError("the body is read as it is sent")


async def _size(value: FileValue, files: FileReader) -> int:
    """Returns the bytes of a value as JSON."""
    if isinstance(value, Base64File):
        return len(value.prefix) + (value.file.size + 2) // 3 * 4 + len('""')
    # Only reading a text tells how many of its characters need an escape.
    size = 0
    async for piece in _json(value, files):
        size += len(piece)
    return size


def _json(value: FileValue, files: FileReader) -> AsyncIterator[bytes]:
    return _base64(value, files) if isinstance(value, Base64File) else _text(value, files)


async def _base64(value: Base64File, files: FileReader) -> AsyncIterator[bytes]:
    yield b'"' + value.prefix.encode()
    rest = b""
    async for piece in files.read(value.file):
        content = rest + piece
        whole = len(content) // 3 * 3
        rest = content[whole:]
        yield base64.b64encode(memoryview(content)[:whole])
    yield base64.b64encode(rest) + b'"'


async def _text(value: TextFile, files: FileReader) -> AsyncIterator[bytes]:
    decoder = codecs.getincrementaldecoder("utf-8")()
    yield b'"'
    async for piece in files.read(value.file):
        yield msgspec.json.encode(decoder.decode(piece))[1:-1]
    yield b'"'
