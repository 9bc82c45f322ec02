"""Promise 19: a body costs little before its values are counted, however it is written or packed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import zstandard
from aichat.v1.openai_pb2 import CreateChatCompletionRequest
from aichat_server.compat.domain.bodies import json_body
from aichat_server.core.errors import AichatError, Reason
from aichat_server.transport.access import ForeignApi, MethodAccess
from aichat_server.transport.bodies import receive_body, received_body
from aichat_server.transport.call import Call
from aichat_server.transport.json_counting import MOST_VALUES, checked
from aichat_server.transport.room import Room
from google.api.httpbody_pb2 import HttpBody
from hypothesis import given
from hypothesis import strategies as st

MIB = 1024 * 1024
MOST = 2 * MIB
ACCESS = MethodAccess(reads_only=False, max_request_bytes=MOST, foreign_api=ForeignApi.OPENAI)
PACK: Mapping[str, Callable[[bytes], bytes]] = {"gzip": gzip.compress, "zstd": zstandard.compress, "": bytes}

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


async def received(data: bytes, encoding: str, room: Room) -> bytes | memoryview:
    request = CreateChatCompletionRequest(body=HttpBody(data=data))
    await receive_body(request, Call("/x", ACCESS, (("content-encoding", encoding),)), room)
    return received_body(request.body)


@pytest.mark.parametrize("encoding", PACK)
@pytest.mark.parametrize("size", [0, 10, 70_000, MOST - 2])
async def test_a_body_arrives_as_it_was_before_it_was_packed(encoding: str, size: int) -> None:
    body, room = b'"' + b"x" * size + b'"', Room(2 * MOST)
    assert bytes(await received(PACK[encoding](body), encoding, room)) == body
    # What has been read takes no room any longer.
    room.take(2 * MOST)


@pytest.mark.parametrize(
    ("data", "encoding", "reason"),
    [
        (gzip.compress(b" " * 50 * MIB), "gzip", Reason.REQUEST_TOO_LARGE),
        (zstandard.compress(b" " * 50 * MIB), "zstd", Reason.REQUEST_TOO_LARGE),
        (b" " * (MOST + 1), "", Reason.REQUEST_TOO_LARGE),
        (gzip.compress(b" " * MIB)[:-20], "gzip", Reason.REQUEST_MALFORMED),
        (gzip.compress(b"{}") * 2, "gzip", Reason.REQUEST_MALFORMED),
        (b"{}", "gzip", Reason.REQUEST_MALFORMED),
        (b"{}", "zstd", Reason.REQUEST_MALFORMED),
        (b"{}", "br", Reason.REQUEST_MALFORMED),
        (gzip.compress(gzip.compress(b"{}")), "gzip, gzip", Reason.REQUEST_MALFORMED),
        (b'"\xff"', "", Reason.REQUEST_MALFORMED),
        (b"[" * MIB, "", Reason.REQUEST_INVALID),
        (b"[]," * (MIB // 2), "", Reason.REQUEST_INVALID),
        (b'"",' * (MIB // 2), "", Reason.REQUEST_INVALID),
    ],
    ids=range(13),
)
async def test_what_is_too_large_or_malformed_is_refused_and_takes_no_room(
    data: bytes, encoding: str, reason: Reason
) -> None:
    room = Room(2 * MOST)
    with pytest.raises(AichatError) as refused:
        await received(data, encoding, room)
    assert refused.value.reason is reason
    room.take(2 * MOST)


async def test_without_room_it_is_refused_until_there_is_some() -> None:
    room = Room(MOST)
    held = await received(gzip.compress(b" " * (MOST - 10)), "gzip", room)
    with pytest.raises(AichatError) as refused:
        await received(gzip.compress(b" " * MIB), "gzip", room)
    assert refused.value.reason is Reason.SERVER_UNAVAILABLE
    del held
    assert len(await received(gzip.compress(b" " * MIB), "gzip", room)) == MIB


@pytest.mark.parametrize("text", ["[]" * MOST_VALUES, r"[],\"" * MOST_VALUES, "\\" * MIB, r"\\" * MIB + r"\"[[[["])
def test_texts_do_not_count(text: str) -> None:
    assert list(checked(json.dumps({"a": text, "b": [text]}).encode()))


@given(values)
def test_a_digest_is_the_same_however_the_json_is_written(value: Any) -> None:
    one = json.dumps({"b": value, "a": [value]}).encode()
    other = b"\xef\xbb\xbf" + json.dumps({"a": [value], "b": value}, indent=2, ensure_ascii=False).encode()
    assert list(checked(one)) == [None]
    assert json_body(one).digest("x") == json_body(memoryview(other)).digest("x")
    assert json_body(one).digest("x") != json_body(one).digest("y")
    assert json_body(one).digest("x") != json_body(json.dumps({"a": [value, 1], "b": value}).encode()).digest("x")


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{", b'{"a":1}x', b'{"a":"\x00"}', rb'{"a":"\ud800"}', b'{"a":' + b"[" * 100_000, b"\xff\xfe{"]
)
def test_what_is_no_json_object_is_malformed(raw: bytes) -> None:
    with pytest.raises(AichatError) as refused:
        json_body(raw)
    assert refused.value.reason is Reason.REQUEST_MALFORMED


def test_a_broken_text_is_malformed_and_of_two_values_the_last_counts() -> None:
    broken = json_body(b'{"a": "\xff"}')
    with pytest.raises(AichatError, match="JSON"):
        broken.read(dict)
    with pytest.raises(AichatError, match="JSON"):
        broken.digest("x")
    assert json_body(b'{"a": 1, "a": 2}').read(dict) == {"a": 2}
    assert json_body(b'{"a": 1, "a": 2}').digest("x") == json_body(b'{"a": 2}').digest("x")
