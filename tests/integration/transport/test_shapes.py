"""The frame around handlers, for the four shapes of RPCs, with a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import pytest
from aichat.v1 import conversations_pb2 as pb
from aichat_server.core.errors import AichatError, Reason
from aichat_server.telemetry.observing import Observer
from aichat_server.transport.access import MethodAccess
from aichat_server.transport.call import Call
from aichat_server.transport.drain import Drain
from aichat_server.transport.metadata import check_metadata_size
from aichat_server.transport.options import SERVER_OPTIONS
from aichat_server.transport.pipeline import CallInterceptor
from aichat_server.transport.validation import Validation
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from structlog.testing import capture_logs

SHAPES = ("unary_unary", "unary_stream", "stream_unary", "stream_stream")
Request = pb.CreateConversationRequest
GOOD = Request(title="hello")


class Handlers:
    """One method of each shape; each runs `act` on the first request."""

    def __init__(self, act: Callable[[Request], Awaitable[None]]) -> None:
        self._act = act

    async def unary_unary(self, request: Request, _: object) -> Request:
        await self._act(request)
        return request

    async def unary_stream(self, request: Request, _: object) -> AsyncGenerator[Request, None]:
        await self._act(request)
        yield request
        yield request

    async def stream_unary(self, requests: AsyncIterator[Request], _: object) -> Request:
        last = Request()
        async for last in requests:
            await self._act(last)
        return last

    async def stream_stream(self, requests: AsyncIterator[Request], _: object) -> AsyncGenerator[Request, None]:
        async for request in requests:
            await self._act(request)
            yield request


class Client:
    """Calls a method by its shape, with bytes that need not be a message."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self._channel = channel

    def start(self, shape: str, raw: bytes, metadata: tuple[tuple[str, str], ...] = ()) -> Any:
        method = getattr(self._channel, shape)(f"/test.Shapes/{shape}")
        return method(iter([raw]) if shape.startswith("stream") else raw, metadata=metadata)

    async def call(self, shape: str, raw: bytes, metadata: tuple[tuple[str, str], ...] = ()) -> list[bytes]:
        call = self.start(shape, raw, metadata)
        return [message async for message in call] if shape.endswith("stream") else [await call]

    async def refusal(
        self, shape: str, raw: bytes, metadata: tuple[tuple[str, str], ...] = ()
    ) -> tuple[grpc.aio.AioRpcError, Status]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(shape, raw, metadata)
        details = dict(caught.value.trailing_metadata())["grpc-status-details-bin"]
        return caught.value, Status.FromString(details)


@asynccontextmanager
async def serving(
    act: Callable[[Request], Awaitable[None]], drain: Drain | None = None
) -> AsyncGenerator[Client, None]:
    access = {f"/test.Shapes/{shape}": MethodAccess(reads_only=True) for shape in SHAPES}
    interceptor = CallInterceptor(access, drain or Drain(), (check_metadata_size,), Validation().check, Observer())
    server = grpc.aio.server(interceptors=(interceptor,), options=SERVER_OPTIONS)
    handlers = {
        shape: getattr(grpc, f"{shape}_rpc_method_handler")(
            getattr(Handlers(act), shape),
            request_deserializer=Request.FromString,
            response_serializer=Request.SerializeToString,
        )
        for shape in SHAPES
    }
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test.Shapes", handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        yield Client(channel)
    await server.stop(0)


async def nothing(_: Request) -> None:
    """A handler without a failure."""


@pytest.mark.parametrize("shape", SHAPES)
async def test_answers_pass_and_name_the_request(shape: str) -> None:
    async with serving(nothing) as client:
        call = client.start(shape, GOOD.SerializeToString(), (("x-request-id", "mine-1"),))
        if shape.endswith("stream"):
            answers = [Request.FromString(message) async for message in call]
        else:
            answers = [Request.FromString(await call)]
        assert answers == [GOOD] * (2 if shape == "unary_stream" else 1)
        assert dict(await call.trailing_metadata())["x-request-id"] == "mine-1"


@pytest.mark.parametrize("shape", SHAPES)
async def test_typed_errors_carry_reason_metadata_and_delay(shape: str) -> None:
    async def fail(_: Request) -> None:
        raise AichatError(Reason.PROVIDER_RATE_LIMITED, "slow down", metadata={"provider": "x"}, retry_after=2.5)

    async with serving(fail) as client:
        error, status = await client.refusal(shape, GOOD.SerializeToString())
    info, retry = ErrorInfo(), RetryInfo()
    assert status.details[0].Unpack(info)
    assert status.details[1].Unpack(retry)
    assert (error.code(), error.details()) == (grpc.StatusCode.UNAVAILABLE, "slow down")
    assert (info.reason, info.domain, dict(info.metadata)) == ("PROVIDER_RATE_LIMITED", "aichat.v1", {"provider": "x"})
    assert retry.retry_delay.ToMilliseconds() == 2500


@pytest.mark.parametrize("shape", SHAPES)
async def test_faults_show_nothing_but_the_request_id(shape: str) -> None:
    async def fail(_: Request) -> None:
        raise RuntimeError("the password is hunter2")

    with capture_logs() as logs:
        async with serving(fail) as client:
            error, status = await client.refusal(shape, GOOD.SerializeToString(), (("x-request-id", "find-me"),))
    assert error.code() is grpc.StatusCode.INTERNAL
    assert "find-me" in status.message
    assert b"hunter2" not in status.SerializeToString()
    failure = next(line for line in logs if line["event"] == "call failed")
    assert isinstance(failure["exc_info"], RuntimeError)


async def test_only_the_log_says_why_something_is_unreachable() -> None:
    async def fail(_: Request) -> None:
        raise AichatError(Reason.STORAGE_UNAVAILABLE, "try again") from OSError("10.0.0.7 refused")

    with capture_logs() as logs:
        async with serving(fail) as client:
            _, status = await client.refusal("unary_unary", GOOD.SerializeToString())
    assert b"10.0.0.7" not in status.SerializeToString()
    assert [line["cause"] for line in logs if line["event"] == "call failed"] == ["OSError('10.0.0.7 refused')"]


@pytest.mark.parametrize("shape", SHAPES)
async def test_invalid_requests_name_the_field(shape: str) -> None:
    async with serving(nothing) as client:
        _, status = await client.refusal(shape, Request(title="a\0b").SerializeToString())
    bad = BadRequest()
    assert status.details[1].Unpack(bad)
    assert [violation.field for violation in bad.field_violations] == ["title"]
    assert reason(status) == "REQUEST_INVALID"


@pytest.mark.parametrize("shape", SHAPES)
async def test_bytes_that_are_not_a_message_are_refused(shape: str) -> None:
    async with serving(nothing) as client:
        error, status = await client.refusal(shape, b"\x0a\x02\xff\xff")
    assert (error.code(), reason(status)) == (grpc.StatusCode.INVALID_ARGUMENT, "REQUEST_MALFORMED")


@pytest.mark.parametrize("shape", SHAPES)
async def test_large_headers_are_refused(shape: str) -> None:
    async with serving(nothing) as client:
        # Clients limit the headers that they receive to 8 KiB, but not those that they send.
        _, status = await client.refusal(shape, GOOD.SerializeToString(), (("x-filler", "x" * 20_000),))
    assert reason(status) == "METADATA_TOO_LARGE"


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_draining_server_refuses(shape: str) -> None:
    drain = Drain()
    drain.begin()
    async with serving(nothing, drain) as client:
        _, status = await client.refusal(shape, GOOD.SerializeToString())
    retry = RetryInfo()
    assert reason(status) == "SERVER_DRAINING"
    assert status.details[1].Unpack(retry)
    assert retry.retry_delay.ToMilliseconds() > 0


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_caller_that_disconnects_cancels_the_handler(shape: str) -> None:
    began, ended = asyncio.Event(), asyncio.Event()

    async def hang(_: Request) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    drain = Drain()
    with capture_logs() as logs:
        async with serving(hang, drain) as client:
            call = client.start(shape, GOOD.SerializeToString())
            await asyncio.wait_for(began.wait(), 5)
            call.cancel()
            await asyncio.wait_for(ended.wait(), 5)
            assert await drain.idle(5)
    assert [line["code"] for line in logs if line["event"] == "call"] == ["CANCELLED"]


@pytest.mark.parametrize("shape", SHAPES)
async def test_every_call_leaves_one_line_in_the_log(shape: str) -> None:
    with capture_logs() as logs:
        async with serving(nothing) as client:
            await client.call(shape, GOOD.SerializeToString())
            await client.refusal(shape, b"\x0a\x02\xff\xff")
    lines = [(line["method"], line["code"], line["reason"]) for line in logs if line["event"] == "call"]
    method = f"/test.Shapes/{shape}"
    assert lines == [(method, "OK", None), (method, "INVALID_ARGUMENT", Reason.REQUEST_MALFORMED)]
    assert "hello" not in str(logs)


async def test_a_request_id_that_could_forge_log_lines_is_replaced() -> None:
    seen: list[Call] = [
        Call("/m", MethodAccess(reads_only=True), (("x-request-id", given),)) for given in ("a\nb", "", "x" * 129, "ok")
    ]
    assert [call.request_id == "ok" for call in seen] == [False, False, False, True]


def reason(status: Status) -> str:
    info = ErrorInfo()
    assert status.details[0].Unpack(info)
    return str(info.reason)
