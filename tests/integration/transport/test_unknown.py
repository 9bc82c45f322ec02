"""Calls that the contract does not have, and request ids that are not valid."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from aichat.v1 import chat_pb2
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from tests.fixtures.rpc import Client

SHAPES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")


async def requests() -> AsyncIterator[bytes]:
    yield b""


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("method", ["/aichat.v1.ChatService/Sing", "/aichat.v2.ChatService/StreamChat"])
async def test_an_unknown_call_gets_an_error(client: Client, method: str, shape: str) -> None:
    start: Any = getattr(client.channel, shape)(method)
    call = start(requests() if shape.startswith("stream") else b"")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await (anext(aiter(call)) if shape.endswith("stream") else call)
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED
    status = Status.FromString(dict(caught.value.trailing_metadata())["grpc-status-details-bin"])
    info = ErrorInfo()
    assert (status.code, status.details[0].Unpack(info)) == (grpc.StatusCode.UNIMPLEMENTED.value[0], True)
    assert (info.reason, info.domain) == ("ROUTE_UNKNOWN", "aichat.v1")


@pytest.mark.parametrize("sent", ["two words", "x" * 600, 'a"b', "mine-1"])
async def test_the_log_knows_a_call_by_whatever_was_sent(client: Client, sent: str) -> None:
    with capture_logs(processors=[merge_contextvars]) as lines:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await client.chat.ListModels(chat_pb2.ListModelsRequest(), metadata=(("x-request-id", sent),))
        # The call is logged once it is over, which may be after its caller has the response.
        async with asyncio.timeout(20):
            while not (calls := [line for line in lines if line["event"] == "call"]):
                await asyncio.sleep(0.01)
    [line] = calls
    assert sent[:512] in (line["request_id"], line.get("sent_request_id"))
    assert dict(caught.value.trailing_metadata())["x-request-id"] == line["request_id"]
