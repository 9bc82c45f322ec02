"""gRPC-Web through the edge, with frames written by hand."""

from __future__ import annotations

import base64
import re
import struct

import httpx
import pytest
from aichat.v1 import chat_pb2
from google.rpc.status_pb2 import Status

from tests.e2e.calls import chat_request, info_of

STREAM_CHAT = "/aichat.v1.ChatService/StreamChat"
LIST_MODELS = "/aichat.v1.ChatService/ListModels"
BINARY, TEXT = "application/grpc-web+proto", "application/grpc-web-text+proto"
TRAILERS = 0x80


def frame(message: bytes, flag: int = 0) -> bytes:
    return struct.pack(">BI", flag, len(message)) + message


def frames(body: bytes) -> list[tuple[int, bytes]]:
    found = []
    while body:
        flag, length = struct.unpack(">BI", body[:5])
        found.append((flag, body[5 : 5 + length]))
        body = body[5 + length :]
    return found


def decoded(response: httpx.Response) -> bytes:
    if response.headers["content-type"] != TEXT:
        return response.content
    # Each piece of the stream is encoded and padded separately.
    pieces = re.findall(rb"[A-Za-z0-9+/]+=*", response.content)
    return b"".join(base64.b64decode(piece) for piece in pieces)


def status_of(response: httpx.Response) -> dict[str, str]:
    """Returns the call's status: from the headers if there was no body, otherwise from the last frame."""
    if "grpc-status" in response.headers:
        return dict(response.headers)
    flag, trailers = frames(decoded(response))[-1]
    assert flag == TRAILERS
    pairs = (line.split(":", 1) for line in trailers.decode().split("\r\n") if line)
    return {name.strip(): value.strip() for name, value in pairs}


async def post(client: httpx.AsyncClient, body: bytes, kind: str = BINARY, path: str = STREAM_CHAT) -> httpx.Response:
    return await client.post(path, content=body, headers={"content-type": kind, "accept": kind, "x-grpc-web": "1"})


@pytest.mark.parametrize("kind", [BINARY, TEXT])
async def test_a_chat_streams(http: httpx.AsyncClient, kind: str) -> None:
    body = frame(chat_request("Hello").SerializeToString())
    response = await post(http, base64.b64encode(body) if kind == TEXT else body, kind)
    assert response.headers["content-type"] == kind
    *messages, (flag, _) = frames(decoded(response))
    assert flag == TRAILERS
    events = [chat_pb2.StreamChatResponse.FromString(message) for _, message in messages]
    assert events[0].HasField("started")
    said = "".join(part.text.text for part in events[-1].completed.message.parts)
    assert said == "".join(event.text_delta.text for event in events)
    assert status_of(response)["grpc-status"] == "0"


async def test_a_single_answer_comes_in_one_frame(http: httpx.AsyncClient) -> None:
    response = await post(http, frame(b""), path=LIST_MODELS)
    [(flag, message), (_, _)] = frames(response.content)
    assert flag == 0
    assert chat_pb2.ListModelsResponse.FromString(message).models


async def test_an_error_comes_with_its_details(http: httpx.AsyncClient) -> None:
    response = await post(http, frame(chat_request("Hello", "no-such-model").SerializeToString()))
    status = status_of(response)
    details = status["grpc-status-details-bin"]
    sent = Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
    assert (status["grpc-status"], info_of(sent).reason) == ("5", "MODEL_UNKNOWN")


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (BINARY, b""),
        (BINARY, b"\x00\x00"),
        (BINARY, b"\x00\x00\x00\x00\xffcut short"),
        (BINARY, frame(b"") + frame(b"")),
        (BINARY, frame(b"") + b"more"),
        (BINARY, frame(b"", flag=1)),
        (BINARY, frame(b"", flag=9)),
        (BINARY, b"\x00\xff\xff\xff\xff"),
        (BINARY, frame(b"\xff\xff\xff")),
        (BINARY, frame(b"\x0a\x02\xc3\x28")),
        (TEXT, b"!not base64!"),
        (TEXT, base64.b64encode(frame(b"a"))[:-1]),
    ],
    ids=[
        "empty",
        "no head",
        "short",
        "two",
        "more",
        "compressed",
        "flag",
        "huge",
        "no message",
        "no UTF-8",
        "no base64",
        "cut base64",
    ],
)
async def test_malformed_frames_are_refused(http: httpx.AsyncClient, kind: str, body: bytes) -> None:
    response = await post(http, body, kind)
    status = status_of(response)
    details = status["grpc-status-details-bin"]
    sent = Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
    assert (status["grpc-status"], info_of(sent).reason) == ("3", "REQUEST_MALFORMED")


async def test_too_large_a_frame_is_refused(http: httpx.AsyncClient) -> None:
    status = status_of(await post(http, frame(b"x" * 34_000_000)))
    assert status["grpc-status"] == "8"
