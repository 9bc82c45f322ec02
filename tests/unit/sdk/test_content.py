"""Images, documents and audio in messages, and the files behind them."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest
from aichat.v1 import files_pb2, messages_pb2, tokens_pb2
from aichat_sdk import (
    AsyncAIChat,
    Audio,
    DeadlineExceededError,
    Document,
    Image,
    InvalidRequestError,
    ToolResult,
    UnavailableError,
    types,
)
from google.api.httpbody_pb2 import HttpBody

from tests.unit.sdk.scripted import ScriptedServer, answer, fail, reply

ID = "0f" * 32
BIG = 1 << 20
STORED = reply(files_pb2.UploadFileResponse(file=files_pb2.File(file_id=ID)))


def parts(server: ScriptedServer) -> list[messages_pb2.Part]:
    (request,) = (call.request for call in server.calls if call.method == "StreamChat")
    return list(request.parts)


async def test_small_files_go_into_the_message(server: ScriptedServer, client: AsyncAIChat, tmp_path: Path) -> None:
    photo, paper = tmp_path / "photo.png", tmp_path / "paper.pdf"
    photo.write_bytes(b"a picture")
    paper.write_bytes(b"%PDF")
    server.on("StreamChat", answer("Nice."))
    await client.chat.send(
        model="m",
        parts=[
            ToolResult("c", ["seen", Image.from_file_id(ID)], is_error=True),
            Image.from_path(photo),
            Image.from_url("https://example.com/a.png"),
            Document.from_path(str(paper)),
            Document.from_bytes(b"text", title="Notes"),
            Document.from_url("https://example.com/a.pdf"),
            Audio.from_bytes(b"sound"),
            Audio.from_file_id(ID),
            "What is this?",
            types.Part(text=types.TextPart(text="Tell!")),
        ],
    )
    inner = [{"text": {"text": "seen"}}, {"image": {"file_id": ID}}]
    expected: list[dict[str, Any]] = [
        {"tool_result": {"call_id": "c", "parts": inner, "is_error": True}},
        {"image": {"data": b"a picture"}},
        {"image": {"url": "https://example.com/a.png"}},
        {"document": {"data": b"%PDF", "title": "paper.pdf"}},
        {"document": {"data": b"text", "title": "Notes"}},
        {"document": {"url": "https://example.com/a.pdf", "title": ""}},
        {"audio": {"data": b"sound"}},
        {"audio": {"file_id": ID}},
        {"text": {"text": "What is this?"}},
        {"text": {"text": "Tell!"}},
    ]
    assert parts(server) == [messages_pb2.Part(**part) for part in expected]


async def test_large_files_are_uploaded_first(server: ScriptedServer, client: AsyncAIChat, tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(os.urandom(BIG))
    server.on("UploadFile", STORED, STORED)
    server.on("StreamChat", answer("Nice."))
    await client.chat.send(model="m", parts=[Image.from_path(photo), Audio.from_bytes(b"x" * BIG), "What is this?"])
    pieces = [[piece.content.data for piece in call.request] for call in server.calls[:2]]
    assert [b"".join(sent) for sent in pieces] == [photo.read_bytes(), b"x" * BIG]
    assert max(len(piece) for sent in pieces for piece in sent) == 256 << 10
    assert [part.WhichOneof("kind") for part in parts(server)] == ["image", "audio", "text"]
    assert parts(server)[0].image.file_id == parts(server)[1].audio.file_id == ID


async def test_many_small_files_are_uploaded_once_the_message_is_full(
    server: ScriptedServer, client: AsyncAIChat
) -> None:
    server.on("UploadFile", STORED, STORED)
    server.on("StreamChat", answer("Nice."))
    await client.chat.send(model="m", parts=[Image.from_bytes(b"x" * (BIG - 1))] * 18)
    assert [part.image.WhichOneof("source") for part in parts(server)] == ["data"] * 16 + ["file_id"] * 2


WRONG: list[tuple[Callable[[Path], object], type[Exception], str]] = [
    (lambda folder: Image.from_path(folder / "missing.png"), FileNotFoundError, "missing.png"),
    (Document.from_path, IsADirectoryError, "directory"),
    (lambda folder: Image.from_path(folder / "empty"), ValueError, "empty is empty"),
    (lambda folder: Image.from_path(folder / "big"), ValueError, "has 5242881 bytes; Image takes at most 5242880"),
    (lambda _: Document.from_path("/dev/null"), ValueError, "/dev/null is not a regular file"),
    (lambda _: Audio.from_bytes(b""), ValueError, "data is empty"),
    (lambda _: Image.from_bytes("png"), TypeError, "must be bytes, not str"),  # type: ignore[arg-type]
    (lambda _: Image.from_url("http://example.com"), ValueError, "must begin with https://"),
    (lambda _: Image("sea.png"), TypeError, "use Image.from_path"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("make", "kind", "told"), WRONG)
def test_what_cannot_be_sent_is_refused_at_once(
    tmp_path: Path, make: Callable[[Path], object], kind: type[Exception], told: str
) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "big").touch()
    os.truncate(tmp_path / "big", (5 << 20) + 1)
    with pytest.raises(kind, match=re.escape(told)):
        make(tmp_path)


def test_bytes_are_not_shown() -> None:
    assert repr(Document.from_bytes(b"secret", title="t")) == "Document(title='t')"


async def test_an_upload_comes_from_bytes_paths_and_iterables(
    server: ScriptedServer, client: AsyncAIChat, tmp_path: Path
) -> None:
    (tmp_path / "a").write_bytes(b"ab")

    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"
        yield b""
        yield b"b" * (300 << 10)

    server.on("UploadFile", STORED, STORED, STORED)
    for source in (b"ab", tmp_path / "a", pieces()):
        assert (await client.files.upload(source)).file_id == ID
    sent = [b"".join(piece.content.data for piece in call.request) for call in server.calls]
    assert sent == [b"ab", b"ab", b"a" + b"b" * (300 << 10)]


async def test_an_upload_is_repeated_if_its_source_can_be_read_again(
    server: ScriptedServer, client: AsyncAIChat
) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"

    down = fail(grpc.StatusCode.UNAVAILABLE, "SERVER_UNAVAILABLE")
    server.on("UploadFile", down, STORED, down)
    await client.files.upload(b"a")
    assert len(server.calls) == 2
    with pytest.raises(UnavailableError):
        await client.files.upload(pieces())
    assert len(server.calls) == 3


async def test_a_failing_upload_says_why(server: ScriptedServer, client: AsyncAIChat) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * BIG

    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise OSError("the disk broke")

    async def silent() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.Event().wait()

    with pytest.raises(InvalidRequestError) as caught:
        await client.files.upload(endless())
    assert caught.value.reason == "REQUEST_TOO_LARGE"
    with pytest.raises(OSError, match="the disk broke"):
        await client.files.upload(broken())
    with pytest.raises(DeadlineExceededError):
        await client.files.upload(silent(), timeout=0.2)


async def test_a_file_is_described_and_downloaded(server: ScriptedServer, client: AsyncAIChat) -> None:
    pieces = [files_pb2.DownloadFileResponse(content=HttpBody(data=data)) for data in (b"a", b"b")]
    server.on("GetFile", reply(files_pb2.GetFileResponse(file=files_pb2.File(file_id=ID, media_type="image/png"))))
    server.on("DownloadFile", reply(*pieces))
    assert (await client.files.get(ID)).media_type == "image/png"
    assert [piece async for piece in client.files.download(ID)] == [b"a", b"b"]


async def test_tokens_are_counted_for_the_same_parameters(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("CountTokens", reply(tokens_pb2.CountTokensResponse(input_tokens=7, estimated=True)))
    count = await client.chat.count_tokens(model="m", parts=["Hi"], system_prompt="Be brief.", seed=3)
    assert (count.input_tokens, count.estimated) == (7, True)
    request = server.calls[0].request
    assert (request.model, request.parts[0].text.text, request.options.seed) == ("m", "Hi", 3)
