"""How the server starts, reports its health, and stops."""

from __future__ import annotations

import asyncio
import socket

import grpc
import pytest
from aichat.v1 import chat_pb2
from aichat.v1.messages_pb2 import Part, TextPart
from aichat_server.core.errors import Reason
from aichat_server.identity.service.organizations import MintedKey
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from tests.fixtures.contract import services
from tests.fixtures.rpc import Client, bearer, refusal
from tests.fixtures.server import RunServer

CHAT = chat_pb2.StreamChatRequest(model="m", parts=[Part(text=TextPart(text="hello"))])
CHAT_SERVICE = "/aichat.v1.ChatService"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


def started(
    client: Client, key: MintedKey
) -> grpc.aio.UnaryStreamCall[chat_pb2.StreamChatRequest, chat_pb2.StreamChatResponse]:
    return client.chat.StreamChat(CHAT, metadata=bearer(key.api_key))


async def reflected(channel: grpc.aio.Channel) -> set[str]:
    """Returns the services that a server reports."""
    ask = channel.stream_stream(
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    answers = [answer async for answer in ask(iter([reflection_pb2.ServerReflectionRequest(list_services="")]))]
    return {service.name for service in answers[0].list_services_response.service}


async def test_health_and_reflection_need_no_credentials(client: Client) -> None:
    await until(client, SERVING)
    names = await reflected(client.channel)
    assert {"aichat.v1.ChatService", "aichat.v1.ConversationService", "grpc.health.v1.Health"} <= names


async def test_an_rpc_that_does_not_exist_is_unimplemented(client: Client) -> None:
    nothing: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = client.channel.unary_unary(f"{CHAT_SERVICE}/Nothing")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await nothing(b"", metadata=bearer("ak_any"))
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def test_a_taken_port_is_an_error(client: Client) -> None:
    with socket.socket() as holder:
        # As a second server of ours would, if it were allowed to share the port.
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        with pytest.raises(RuntimeError):
            await client.server.start(f"127.0.0.1:{holder.getsockname()[1]}")


async def test_a_drain_lets_running_calls_finish_and_refuses_new_ones(client: Client, key: MintedKey) -> None:
    call = started(client, key)
    await call.read()
    ended = asyncio.Event()

    async def end_rest() -> None:
        ended.set()

    stop = asyncio.create_task(client.server.stop(30, end_rest))
    await until(client, NOT_SERVING)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await started(client, key).read()
    assert refusal(caught.value).reason is Reason.SERVER_DRAINING
    # It does not say either who is known: the edge must not consider its callers unknown.
    asked = client.chat.StreamChat(CHAT, metadata=(*bearer(key.api_key), ("x-aichat-is-known", "?")))
    assert dict(await asked.initial_metadata())["x-aichat-known"] == "unsure"
    assert not ended.is_set()
    client.waiting.end.set()
    assert await call.read() is not grpc.aio.EOF
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK
    await asyncio.wait_for(stop, 10)
    assert ended.is_set()


async def test_open_calls_end_with_the_grace_period(client: Client, key: MintedKey) -> None:
    call = started(client, key)
    await call.read()

    async def end_rest() -> None:
        client.waiting.end.set()

    await asyncio.wait_for(client.server.stop(0, end_rest), 10)
    assert await call.read() is not grpc.aio.EOF
    assert await call.read() is grpc.aio.EOF
    assert await call.code() is grpc.StatusCode.OK


def watch_health(
    client: Client,
) -> grpc.aio.UnaryStreamCall[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]:
    watch: grpc.aio.UnaryStreamMultiCallable[health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse]
    watch = client.channel.unary_stream(
        "/grpc.health.v1.Health/Watch",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    return watch(health_pb2.HealthCheckRequest())


async def until(client: Client, status: int) -> None:
    """Returns when the health service reports the status."""
    watch = watch_health(client)
    async with asyncio.timeout(10):
        async for answer in watch:
            if answer.status == status:
                break
    watch.cancel()


async def test_the_product_serves_every_service_of_the_contract(run_server: RunServer) -> None:
    async with run_server(AICHAT_ENVIRONMENT="development") as server:
        names = await reflected(server.channel)
    assert {service.full_name for service in services()} <= names
