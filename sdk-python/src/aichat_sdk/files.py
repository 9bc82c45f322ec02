"""The files that messages show to models."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from contextlib import aclosing
from functools import partial
from itertools import islice
from pathlib import Path

from aichat_sdk import _methods as methods
from aichat_sdk._checking import refusal
from aichat_sdk._encoding import encode
from aichat_sdk._proto.aichat import v1
from aichat_sdk._proto.google.api import HttpBody
from aichat_sdk._retry import Deadline, retrying
from aichat_sdk._transport import Reader, Transport
from aichat_sdk.content import Document
from aichat_sdk.errors import ServerError
from aichat_sdk.types import File

__all__ = ["Files"]

_PIECE_BYTES = 256 << 10
_BYTES = bytes | bytearray | memoryview

_Downloads = v1.DownloadFileResponse


class Files:
    """`client.files`. Messages with images, documents and audio upload what they need by themselves."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def upload(
        self,
        source: str | os.PathLike[str] | bytes | Iterable[bytes] | AsyncIterable[bytes],
        *,
        timeout: float | None = None,
    ) -> File:
        """Stores a file, and returns it with the id that parts of messages name; the same bytes have the same id.

        `source`: a path, the bytes, or an iterable of their pieces, such as an open file. A path is read as it is sent.
        Raises OSError if it cannot be read, and ValueError if it is empty or larger than 20 MiB. Pieces of an iterable
        are sent once; other sources are sent again while the platform is unavailable.
        """
        deadline = Deadline.after(self._transport.settings.timeout if timeout is None else timeout)
        if isinstance(source, AsyncIterable):
            return await self._send(source, deadline)
        if isinstance(source, Iterable) and not isinstance(source, str | _BYTES):
            return await self._send(_in_thread(source), deadline)
        _check_source(source)
        checked = Document.from_bytes(source) if isinstance(source, _BYTES) else Document.from_path(source)
        retries = self._transport.settings.max_retries

        async def attempt() -> File:
            async with aclosing(_pieces(checked.source)) as pieces:
                return await self._send(pieces, deadline)

        renewing = partial(self._transport.renewing, attempt)
        return await retrying(renewing, retries=retries, deadline=deadline)

    async def get(self, file_id: str, *, timeout: float | None = None) -> File:
        """Returns what is known of a file; raises NotFoundError if the organisation has no such file."""
        response = await self._transport.call(methods.GET_FILE, v1.GetFileRequest(file_id=file_id), timeout=timeout)
        return _present(response.file)

    async def download(self, file_id: str, *, timeout: float | None = None) -> AsyncIterator[bytes]:
        """Yields a file's bytes, in pieces to write one after another. `timeout` is for the whole file."""
        payload = encode(v1.DownloadFileRequest(file_id=file_id))
        deadline = Deadline.after(timeout)
        retries = self._transport.settings.max_retries
        reader, response = await retrying(partial(self._begin, payload, deadline), retries=retries, deadline=deadline)
        try:
            while response is not None:
                yield response.content.data if response.content else b""
                response = await reader.read()
        finally:
            reader.cancel()

    async def _begin(self, payload: bytes, deadline: Deadline) -> tuple[Reader[_Downloads], _Downloads | None]:
        reader = self._transport.open_stream(methods.DOWNLOAD_FILE, payload, deadline)
        return reader, await reader.read()

    async def _send(self, pieces: AsyncIterable[bytes], deadline: Deadline) -> File:
        return _present((await self._transport.upload(methods.UPLOAD_FILE, _requests(pieces), deadline)).file)


def _check_source(source: object) -> None:
    if not isinstance(source, str | os.PathLike | _BYTES):
        raise refusal("source", f"must be a path, bytes or an iterable of bytes, not {type(source).__name__}")


async def _pieces(source: object) -> AsyncGenerator[bytes, None]:
    if isinstance(source, bytes):
        yield source
    elif isinstance(source, Path):
        with await asyncio.to_thread(source.open, "rb") as file:
            while piece := await asyncio.to_thread(file.read, _PIECE_BYTES):
                yield piece


async def _in_thread(pieces: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yields the items of an iterable that may wait, as for a disk."""
    iterator = iter(pieces)
    while piece := await asyncio.to_thread(list, islice(iterator, 1)):
        yield piece[0]


async def _requests(pieces: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        if not isinstance(piece, _BYTES):
            raise refusal("source", f"must have pieces that are bytes, not {type(piece).__name__}")
        for start in range(0, len(piece), _PIECE_BYTES):
            data = bytes(piece[start : start + _PIECE_BYTES])
            yield encode(v1.UploadFileRequest(content=HttpBody(data=data)))


def _present(file: File | None) -> File:
    if file is None:
        raise ServerError("the server left out the file")
    return file
