"""No header can break anything: neither its own call nor, above all, calls of others."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

import grpc
import httpx
import pytest
from aichat_sandbox.platform import Platform
from google.rpc.status_pb2 import Status

from tests.e2e.calls import Metadata, error_of, info_of

LIST_MODELS = "/aichat.v1.ChatService/ListModels"
EMPTY_FRAME = b"\0" * 5
WEB = {"content-type": "application/grpc-web+proto"}
UNREADABLE = [
    ("grpc-timeout", "banana"),
    ("grpc-timeout", "123456789S"),
    ("grpc-encoding", "evil"),
    ("grpc-status", "banana"),
    ("grpc-previous-rpc-attempts", "banana"),
    ("grpc-trace-bin", "!!!"),
    ("grpc-tags-bin", "!"),
    ("x-foo-bin", "!!!"),
    ("x_underscore", "1"),
    ("x!odd~name", "1"),
    ("x-latin", "caf\xe9"),
    ("x-envoy-original-method", "evil"),
    ("x-envoy-original-path", "/evil"),
    ("x-aichat-client-address", "nowhere"),
    ("x-aichat-unknown", "yes"),
]


@pytest.fixture
def metadata(platform: Platform) -> Metadata:
    return (("authorization", f"Bearer {platform.key['api_key']}"),)


def sent(name: str, value: str) -> dict[bytes, bytes]:
    return {name.encode(): value.encode("latin-1")}


def web_status(response: httpx.Response) -> tuple[str, str]:
    details = response.headers["grpc-status-details-bin"]
    status = Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4)))
    return response.headers["grpc-status"], info_of(status).reason


async def listed(platform: Platform, metadata: Metadata, seconds: float) -> bool:
    """Whether a correct call with a deadline succeeds over a new connection."""
    async with grpc.aio.insecure_channel(platform.grpc, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        call: Any = channel.unary_unary(LIST_MODELS)
        return bool(await call(b"", metadata=metadata, timeout=seconds))


@pytest.mark.parametrize(("name", "value"), UNREADABLE, ids=[name for name, _ in UNREADABLE])
async def test_json_takes_no_notice_of_it(http: httpx.AsyncClient, name: str, value: str) -> None:
    response = await http.get("/v1/models", headers=sent(name, value))
    assert response.status_code == 200, response.text


@pytest.mark.parametrize(("name", "value"), UNREADABLE, ids=[name for name, _ in UNREADABLE])
async def test_grpc_takes_no_notice_of_it_or_says_what_is_wrong(http: httpx.AsyncClient, name: str, value: str) -> None:
    headers = {key.encode(): text.encode() for key, text in WEB.items()} | sent(name, value)
    response = await http.post(LIST_MODELS, content=EMPTY_FRAME, headers=headers)
    assert response.status_code == 200
    if name == "grpc-timeout":
        assert web_status(response) == ("3", "REQUEST_MALFORMED")
    else:
        assert b"claude" in response.content


async def test_others_calls_are_as_good_as_before(
    platform: Platform, stranger: httpx.AsyncClient, metadata: Metadata
) -> None:
    for name, value in UNREADABLE:
        await stranger.get("/v1/models", headers=sent(name, value))
        await stranger.post(LIST_MODELS, content=EMPTY_FRAME, headers={**WEB, name: value} if value.isascii() else WEB)
    good = await asyncio.gather(*(listed(platform, metadata, 30 + seconds) for seconds in range(24)))
    assert all(good)


async def test_a_deadline_holds_over_grpc_web(http: httpx.AsyncClient) -> None:
    response = await http.post(LIST_MODELS, content=EMPTY_FRAME, headers={**WEB, "grpc-timeout": "30S"})
    assert b"claude" in response.content


async def test_the_clients_address_is_not_believed(http: httpx.AsyncClient) -> None:
    """A client cannot set it: the edge does, so that public calls from one address share their limits."""
    response = await http.get("/v1/models", headers={"x-forwarded-for": "192.0.2.1"})
    assert response.status_code == 200


async def test_what_is_compressed_is_refused(http: httpx.AsyncClient) -> None:
    frame = await http.post(LIST_MODELS, content=b"\x01" + EMPTY_FRAME[1:], headers=WEB)
    assert web_status(frame) == ("3", "REQUEST_MALFORMED")
    body = await http.post(
        "/v1/conversations", content=b"x", headers={"content-type": "application/json", "content-encoding": "gzip"}
    )
    assert error_of(body)[:2] == (415, "REQUEST_MALFORMED")


async def test_native_calls_that_compress_are_told(platform: Platform, metadata: Metadata) -> None:
    async with grpc.aio.insecure_channel(platform.grpc) as channel:
        call: Any = channel.unary_unary(LIST_MODELS)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            # Unknown fields, which make the message worth compressing.
            await call(b"\xfa\x7f\x80\x01" + b"a" * 128, metadata=metadata, compression=grpc.Compression.Gzip)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vary", "origin"),
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", "frame-ancestors 'none'"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/models", "/v1/nothing", "/v1/notifications/unsubscribe?token=x"])
async def test_browsers_are_told_to_be_careful(http: httpx.AsyncClient, path: str, name: str, value: str) -> None:
    assert value in (await http.get(path)).headers[name].lower()
