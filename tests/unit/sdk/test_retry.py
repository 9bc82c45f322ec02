"""Calls are retried where that is safe, and nowhere else."""

from __future__ import annotations

import time

import grpc
import pytest
from aichat.v1 import chat_pb2, conversations_pb2
from aichat_sdk import (
    AsyncAIChat,
    ConnectionFailedError,
    DeadlineExceededError,
    ProviderError,
    UnavailableError,
    message_text,
)
from aichat_sdk._retry import LONGEST_DELAY, LONGEST_RETRY_AFTER, delay_before_retry

from tests.unit.sdk.scripted import API_KEY, ScriptedServer, answer, fail, hang, reply

# gRPC sends a timeout with few digits, rounded up.
ROUNDING = 0.2
BROKEN = fail(grpc.StatusCode.UNAVAILABLE)
DRAINING = fail(grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING")


@pytest.mark.parametrize("failure", [BROKEN, DRAINING], ids=["connection", "draining"])
async def test_stream_is_repeated_with_the_same_request_id_before_its_first_event(
    server: ScriptedServer, client: AsyncAIChat, failure: object
) -> None:
    server.on("StreamChat", failure, answer("Here"))  # type: ignore[arg-type]
    assert message_text(await client.chat.send(model="model-1", text="Hi")) == "Here"
    first, second = (call.request for call in server.calls)
    assert first.request_id
    assert first == second


async def test_silence_before_the_first_event_is_a_lost_connection(server: ScriptedServer) -> None:
    server.on("StreamChat", hang(), answer("Here"))
    async with AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY, stall_timeout=0.2) as client:
        assert message_text(await client.chat.send(model="model-1", text="Hi")) == "Here"


async def test_generation_elsewhere_is_asked_for_again_after_the_delay_that_the_server_names(
    server: ScriptedServer, client: AsyncAIChat
) -> None:
    busy = fail(grpc.StatusCode.ABORTED, "GENERATION_IN_PROGRESS", retry_after=0.7)
    server.on("StreamChat", busy, answer("Here"))
    begun = time.monotonic()
    assert message_text(await client.chat.send(model="model-1", text="Hi")) == "Here"
    assert time.monotonic() - begun >= 0.7


async def test_vendors_failure_is_not_repeated_because_the_same_request_id_would_get_it_again(
    server: ScriptedServer, client: AsyncAIChat
) -> None:
    server.on("StreamChat", fail(grpc.StatusCode.UNAVAILABLE, "PROVIDER_OVERLOADED"))
    with pytest.raises(ProviderError):
        await client.chat.send(model="model-1", text="Hi")
    assert len(server.calls) == 1


async def test_reads_are_repeated_as_often_as_the_client_says(server: ScriptedServer) -> None:
    server.on("ListModels", BROKEN, reply(chat_pb2.ListModelsResponse()), BROKEN, BROKEN)
    async with AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY, max_retries=1) as client:
        assert await client.models.list() == []
        with pytest.raises(ConnectionFailedError):
            await client.models.list()
    assert len(server.calls) == 4


async def test_what_would_be_done_twice_is_not_repeated(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("CreateConversation", BROKEN)
    server.on("DeleteConversation", DRAINING)
    with pytest.raises(ConnectionFailedError):
        await client.conversations.create()
    with pytest.raises(UnavailableError):
        await client.conversations.delete("conversation-1")
    assert len(server.calls) == 2


async def test_timeout_holds_for_all_tries_together(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("ListModels", BROKEN, hang())
    begun = time.monotonic()
    with pytest.raises(DeadlineExceededError):
        await client.models.list(timeout=1.0)
    assert time.monotonic() - begun < 5
    first, second = (call.time_remaining or 0 for call in server.calls)
    assert second < first <= 1.0 + ROUNDING


async def test_no_retry_begins_that_the_timeout_would_cut(server: ScriptedServer, client: AsyncAIChat) -> None:
    server.on("ListModels", fail(grpc.StatusCode.UNAVAILABLE, "SERVER_DRAINING", retry_after=30))
    with pytest.raises(UnavailableError) as caught:
        await client.models.list(timeout=5)
    assert caught.value.retry_after == 30


async def test_unary_calls_have_a_deadline_by_default(server: ScriptedServer, client: AsyncAIChat) -> None:
    stored = conversations_pb2.Conversation(title="T")
    server.on("GetConversation", reply(conversations_pb2.GetConversationResponse(conversation=stored)))
    assert (await client.conversations.get("conversation-1")).title == "T"
    assert 50 < (server.calls[0].time_remaining or 0) <= 60 + ROUNDING


async def test_unreachable_platform_is_named() -> None:
    async with AsyncAIChat(endpoint="127.0.0.1:1", api_key=API_KEY, max_retries=0) as client:
        with pytest.raises(ConnectionFailedError, match=r"no connection to 127\.0\.0\.1:1"):
            await client.models.list()


def test_delays_grow_to_a_limit_and_never_undercut_the_server() -> None:
    error = UnavailableError("x")
    delays = [[delay_before_retry(error, tried) or 0 for _ in range(50)] for tried in range(12)]
    assert all(0.25 <= delay <= 0.5 for delay in delays[0])
    assert all(0.5 <= delay <= 1.0 for delay in delays[1])
    assert max(delays[11]) <= LONGEST_DELAY
    assert len(set(delays[5])) > 1, "callers that failed together come back one after the other"
    assert (delay_before_retry(UnavailableError("x", retry_after=3), 0) or 0) >= 3
    assert delay_before_retry(UnavailableError("x", retry_after=LONGEST_RETRY_AFTER + 1), 0) is None
