"""Files over the edge: 20 MiB pass where files are taken, and no more anywhere."""

from __future__ import annotations

import base64
import json
import os
from typing import TYPE_CHECKING
from uuid import uuid4

import grpc
import httpx
import pytest
from aichat.v1.files_pb2_grpc import FileServiceStub
from aichat_sandbox.platform import Platform
from aichat_server.core.errors import Reason
from aichat_server.files.domain.sniffing import MOST_FILE_BYTES

from tests.e2e.calls import CHAT, Metadata, error_of
from tests.fixtures.rpc import refusal
from tests.integration.files.uploads import pieces, refused
from tests.unit.files import made

if TYPE_CHECKING:
    from aichat.v1.files_pb2_grpc import FileServiceAsyncStub

MODEL = "gemini-3.8-flash"


def large(size: int) -> bytes:
    """Returns a PDF of that size."""
    head = made.pdf()
    return head + os.urandom(size - len(head))


async def test_a_file_is_uploaded_and_downloaded_as_it_is(http: httpx.AsyncClient) -> None:
    data = large(MOST_FILE_BYTES)
    answer = await http.post("/v1/files", content=data, headers={"content-type": "application/pdf"})
    assert answer.status_code == 200, answer.text
    file = answer.json()["file"]
    assert (file["media_type"], file["size_bytes"], file["pages"]) == ("application/pdf", str(len(data)), 1)
    got = await http.get(f"/v1/files/{file['file_id']}/content")
    assert got.status_code == 200
    assert got.content == data
    shown = [got.headers[name] for name in ("content-type", "content-disposition", "x-content-type-options")]
    assert shown == ["application/pdf", "attachment", "nosniff"]
    too_large = await http.post("/v1/files", content=data + b"x")
    assert error_of(too_large)[:2] == (413, "REQUEST_TOO_LARGE")
    assert error_of(await http.get(f"/v1/files/{'0' * 64}/content"))[:2] == (404, "FILE_NOT_FOUND")


async def test_a_file_in_pieces_passes_and_a_compressed_one_does_not(platform: Platform, metadata: Metadata) -> None:
    data = large(5 << 20)
    async with grpc.aio.insecure_channel(platform.grpc) as channel:
        stub: FileServiceAsyncStub = FileServiceStub(channel)
        answer = await stub.UploadFile(pieces(data, 100_000), metadata=metadata, timeout=20)
        assert answer.file.size_bytes == len(data)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await stub.UploadFile(
                pieces(b"text" * 99), metadata=metadata, timeout=20, compression=grpc.Compression.Gzip
            )
        assert refusal(caught.value).reason is Reason.REQUEST_MALFORMED
        too_large = await refused(stub.UploadFile(metadata=metadata, timeout=20), pieces(large(22 << 20)))
        assert too_large.reason is Reason.REQUEST_TOO_LARGE


async def test_a_large_document_passes_as_json(http: httpx.AsyncClient) -> None:
    data = base64.b64encode(large(MOST_FILE_BYTES)).decode()
    parts = [{"document": {"data": data}}, {"text": {"text": f"What is this? {uuid4()}"}}]
    body = {"model": MODEL, "parts": parts}
    answer = await http.post(CHAT, json=body)
    assert answer.status_code == 200, answer.text[:500]
    assert '"completed"' in answer.text
    assert "error" not in answer.text
    counted = await http.post("/v1/chat:countTokens", json=body)
    assert counted.status_code == 200, counted.text[:500]
    too_large = await http.post(CHAT, json={"model": MODEL, "parts": [{"text": {"text": "x" * (33 << 20)}}]})
    assert error_of(too_large)[:2] == (413, "REQUEST_TOO_LARGE")
    unknown = await http.post(
        CHAT, content=json.dumps({**body, "nonsense": 1}), headers={"content-type": "application/json"}
    )
    assert error_of(unknown)[:2] == (400, "REQUEST_MALFORMED")
