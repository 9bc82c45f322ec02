"""Files are stored once, are their organisation's alone, and are what their bytes say."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import grpc
import pytest
from aichat.v1 import files_pb2
from aichat_server.core.errors import Reason
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.any_pb2 import Any

from tests.fixtures.rpc import refusal
from tests.fixtures.server import ApiKey, ServerUnderTest
from tests.integration.files.uploads import download, pieces, refused, upload
from tests.unit.files import made

MIB = 1 << 20


async def test_a_file_is_stored_once_and_read_as_it_was(
    server: ServerUnderTest, api_key: ApiKey, foreign_key: ApiKey, server_settings: dict[str, str]
) -> None:
    data = made.png(640, 480) + os.urandom(2 * MIB)
    files = [await upload(server, api_key, data, size) for size in (MIB, 65536)]
    files += await asyncio.gather(*(upload(server, foreign_key, data) for _ in range(3)))
    file = files[0]
    assert file.file_id == hashlib.sha256(data).hexdigest()
    assert (file.media_type, file.size_bytes, file.width, file.height) == ("image/png", len(data), 640, 480)
    assert {one.create_time.ToNanoseconds() for one in files[:2]} == {file.create_time.ToNanoseconds()}
    # At the same moment, too, and by organisation.
    folder = Path(server_settings["AICHAT_FILES_URL"].removeprefix("file://"))
    for key in (api_key, foreign_key):
        [stored] = [path for path in (folder / key.organization_id).rglob("*") if path.is_file()]
        assert stored.parent.name == file.file_id
        assert stored.read_bytes() == data
    got = await server.files.GetFile(files_pb2.GetFileRequest(file_id=file.file_id), metadata=api_key.metadata)
    assert got.file == file
    answers = await download(server, api_key, file.file_id)
    assert b"".join(answer.data for answer in answers) == data
    assert len(answers) > 4
    assert [answer.content_type for answer in answers] == ["image/png"] + [""] * (len(answers) - 1)


async def test_a_file_of_another_organisation_does_not_exist(
    server: ServerUnderTest, api_key: ApiKey, foreign_key: ApiKey
) -> None:
    file_id = (await upload(server, api_key, f"mine {uuid4()}".encode())).file_id
    for sha256 in (file_id, "0" * 64):
        request = files_pb2.GetFileRequest(file_id=sha256)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await server.files.GetFile(request, metadata=foreign_key.metadata)
        assert refusal(caught.value).reason is Reason.FILE_NOT_FOUND
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await download(server, foreign_key, sha256)
        assert refusal(caught.value).reason is Reason.FILE_NOT_FOUND


def one(data: bytes) -> Iterator[files_pb2.UploadFileRequest]:
    yield files_pb2.UploadFileRequest(content=HttpBody(data=data))


def many(count: int) -> Iterator[files_pb2.UploadFileRequest]:
    yield from (files_pb2.UploadFileRequest(content=HttpBody(data=b"x")) for _ in range(count))


def extended() -> Iterator[files_pb2.UploadFileRequest]:
    yield files_pb2.UploadFileRequest(content=HttpBody(data=b"x", extensions=[Any()]))


@pytest.mark.parametrize(
    ("requests", "reason"),
    [
        (lambda: iter(()), Reason.FILE_INVALID),
        (lambda: one(b"\xff\x00"), Reason.FILE_INVALID),
        (lambda: one(made.png(9000, 9000)), Reason.FILE_INVALID),
        (lambda: one(b"x" * (MIB + 100)), Reason.REQUEST_TOO_LARGE),
        (lambda: pieces(b"x" * (20 * MIB + 1)), Reason.REQUEST_TOO_LARGE),
        (lambda: many(17_000), Reason.REQUEST_INVALID),
        (extended, Reason.REQUEST_INVALID),
    ],
    ids=["nothing", "no text", "pixels", "a long piece", "too long", "many pieces", "extensions"],
)
async def test_bad_uploads_are_refused(
    server: ServerUnderTest,
    api_key: ApiKey,
    requests: Callable[[], Iterator[files_pb2.UploadFileRequest]],
    reason: Reason,
) -> None:
    call = server.files.UploadFile(metadata=api_key.metadata, timeout=20)
    assert (await refused(call, requests())).reason is reason


async def test_an_upload_without_credentials_is_refused_before_it_is_sent(server: ServerUnderTest) -> None:
    sent = []

    def endless() -> Iterator[files_pb2.UploadFileRequest]:
        while True:
            sent.append(1)
            yield files_pb2.UploadFileRequest(content=HttpBody(data=bytes(MIB)))

    assert (await refused(server.files.UploadFile(timeout=20), endless())).reason is Reason.CREDENTIALS_MISSING
    assert len(sent) < 20
