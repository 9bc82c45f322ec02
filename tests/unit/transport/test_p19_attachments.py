"""Promise 19: files are cut out of large requests without a copy, and all together take a bounded memory."""

from __future__ import annotations

import asyncio

import pytest
from aichat.v1 import chat_pb2, messages_pb2, parts_pb2
from aichat_server.core.errors import AichatError, Reason
from aichat_server.transport.access import MethodAccess
from aichat_server.transport.attachments import CUT_BYTES, attached
from aichat_server.transport.counting import shape_of
from aichat_server.transport.decoding import decode_request
from aichat_server.transport.room import Room

Part, Image, Document = messages_pb2.Part, parts_pb2.ImagePart, parts_pb2.DocumentPart
ACCESS = MethodAccess(
    reads_only=False, max_request_bytes=1 << 25, request=shape_of(chat_pb2.StreamChatRequest.DESCRIPTOR)
)
LARGE, SMALL, EMPTY = b"l" * CUT_BYTES, b"0", b""
RESULT = messages_pb2.ToolResultPart(
    call_id="c",
    parts=[messages_pb2.ResultPart(image=Image(data=SMALL)), messages_pb2.ResultPart(image=Image(data=LARGE))],
)
REQUEST = chat_pb2.StreamChatRequest(
    model="a-model",
    parts=[
        Part(document=Document(data=LARGE, title="A title")),
        Part(text=messages_pb2.TextPart(text="t" * 300)),
        Part(image=Image(data=SMALL)),
        Part(image=Image(url="https://example.com/")),
        Part(image=Image(data=EMPTY)),
        Part(tool_result=RESULT),
    ],
)


def images(request: chat_pb2.StreamChatRequest) -> list[parts_pb2.ImagePart | parts_pb2.DocumentPart]:
    inner = [part.image for part in request.parts[5].tool_result.parts]
    return [request.parts[0].document, request.parts[2].image, request.parts[4].image, *inner]


async def decoded(raw: bytes, room: Room) -> chat_pb2.StreamChatRequest:
    request: chat_pb2.StreamChatRequest = decode_request(raw, ACCESS, chat_pb2.StreamChatRequest.FromString, room)
    return request


async def test_files_are_cut_out_and_everything_else_stays() -> None:
    async def call() -> None:
        request = await decoded(REQUEST.SerializeToString(), Room())
        assert request.ByteSize() < 600
        files = images(request)
        data = [attached(file.data) for file in files]
        assert [bytes(one) for one in data] == [LARGE, SMALL, EMPTY, SMALL, LARGE]
        assert isinstance(data[0], memoryview)
        with pytest.raises(LookupError):
            attached(files[0].data)
        for file, one in zip(files, data, strict=True):
            file.data = bytes(one)
        assert request == REQUEST

    # Each call has a task of its own.
    await asyncio.create_task(call())


async def test_a_small_request_stays_as_it_is() -> None:
    async def call() -> None:
        small = chat_pb2.StreamChatRequest(parts=[Part(image=Image(data=b"7"))])
        request = await decoded(small.SerializeToString(), Room(0))
        assert attached(request.parts[0].image.data) == b"7"

    await asyncio.create_task(call())


async def test_a_process_holds_a_bounded_number_of_bytes() -> None:
    raw, room = REQUEST.SerializeToString(), Room(3 * len(LARGE))

    async def call() -> list[bytes | memoryview]:
        return [attached(file.data) for file in images(await decoded(raw, room))]

    held = await asyncio.create_task(call())
    with pytest.raises(AichatError) as caught:
        await asyncio.create_task(call())
    assert caught.value.reason is Reason.SERVER_UNAVAILABLE
    assert caught.value.retry_after
    del held
    del caught
    assert await asyncio.create_task(call())


def test_pieces_take_room_until_their_call_ends() -> None:
    room = Room(10)
    with room.growing() as taken:
        taken.grow(6)
        with pytest.raises(AichatError):
            taken.grow(5)
    room.take(10)
