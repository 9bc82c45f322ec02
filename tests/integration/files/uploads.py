"""Uploads for tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import grpc
import pytest
from aichat.v1 import files_pb2
from aichat_sdk._upload import send_all
from google.api.httpbody_pb2 import HttpBody

from tests.fixtures.rpc import Refusal, refusal
from tests.fixtures.server import ApiKey, ServerUnderTest


def pieces(data: bytes, size: int = 1 << 20) -> Iterator[files_pb2.UploadFileRequest]:
    """Yields the requests that upload a file."""
    for start in range(0, len(data), size):
        yield files_pb2.UploadFileRequest(content=HttpBody(content_type="image/wrong", data=data[start : start + size]))


async def upload(server: ServerUnderTest, key: ApiKey, data: bytes, size: int = 1 << 20) -> files_pb2.File:
    """Uploads a file in pieces of that size."""
    answer = await server.files.UploadFile(pieces(data, size), metadata=key.metadata, timeout=20)
    return answer.file


async def download(server: ServerUnderTest, key: ApiKey, file_id: str) -> list[HttpBody]:
    """Returns a file in the pieces that the server sends."""
    request = files_pb2.DownloadFileRequest(file_id=file_id)
    return [answer.content async for answer in server.files.DownloadFile(request, metadata=key.metadata, timeout=20)]


async def refused(call: Any, requests: Iterable[files_pb2.UploadFileRequest]) -> Refusal:
    """Sends the requests of a call that the server refuses, perhaps while they are sent; returns the refusal.

    The server's status is read as the SDK reads it: gRPC replaces it if a request is just being written.
    """
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await send_all(call, _each(requests))
    return refusal(caught.value)


async def _each(requests: Iterable[files_pb2.UploadFileRequest]) -> AsyncIterator[Any]:
    for request in requests:
        yield request
