"""Native gRPC through the edge, with pytest-grpc's channel and stub."""

from __future__ import annotations

from typing import cast

import grpc
import pytest
from aichat.v1 import chat_pb2, chat_pb2_grpc, conversations_pb2, conversations_pb2_grpc, messages_pb2
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_status import rpc_status

from tests.e2e.calls import MODEL, MODELS, Metadata, chat_request, info_of


@pytest.fixture(scope="module")
def grpc_stub_cls() -> type[chat_pb2_grpc.ChatServiceStub]:
    return chat_pb2_grpc.ChatServiceStub


@pytest.fixture(scope="module")
def conversations(grpc_channel: grpc.Channel) -> conversations_pb2_grpc.ConversationServiceStub:
    return conversations_pb2_grpc.ConversationServiceStub(grpc_channel)


def code_of(failed: pytest.ExceptionInfo[grpc.RpcError]) -> grpc.StatusCode:
    return cast("grpc.Call", failed.value).code()


def reason_of(failed: pytest.ExceptionInfo[grpc.RpcError]) -> tuple[grpc.StatusCode, str]:
    status = rpc_status.from_call(cast("grpc.Call", failed.value))
    assert status
    return code_of(failed), info_of(status).reason


@pytest.mark.parametrize("model", MODELS)
def test_a_chat_streams_and_is_found_in_history(
    grpc_stub: chat_pb2_grpc.ChatServiceStub,
    conversations: conversations_pb2_grpc.ConversationServiceStub,
    metadata: Metadata,
    model: str,
) -> None:
    events = list(grpc_stub.StreamChat(chat_request("Hello", model), metadata=metadata))
    kinds = [event.WhichOneof("event") for event in events]
    assert (kinds[0], kinds[-1]) == ("started", "completed")
    assert kinds.count("text_delta") > 1
    started, answer = events[0].started, events[-1].completed.message
    text = "".join(event.text_delta.text for event in events)
    assert "".join(part.text.text for part in answer.parts) == text
    assert answer.cost.currency_code == "USD"
    assert answer.usage.output_tokens > 0

    listed = conversations.ListMessages(
        conversations_pb2.ListMessagesRequest(conversation_id=started.conversation_id), metadata=metadata
    )
    assert [message.role for message in listed.messages] == [messages_pb2.ROLE_USER, messages_pb2.ROLE_ASSISTANT]
    assert listed.messages[1] == answer


def test_models_are_listed(grpc_stub: chat_pb2_grpc.ChatServiceStub, metadata: Metadata) -> None:
    models = grpc_stub.ListModels(chat_pb2.ListModelsRequest(), metadata=metadata).models
    assert {model.provider for model in models} == {"anthropic", "openai", "gemini"}


def test_an_error_keeps_its_details(grpc_stub: chat_pb2_grpc.ChatServiceStub, metadata: Metadata) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        list(grpc_stub.StreamChat(chat_request("Hello", "no-such-model"), metadata=metadata))
    assert reason_of(failed) == (grpc.StatusCode.NOT_FOUND, "MODEL_UNKNOWN")


def test_no_key_no_answer(grpc_stub: chat_pb2_grpc.ChatServiceStub) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        grpc_stub.ListModels(chat_pb2.ListModelsRequest())
    assert reason_of(failed) == (grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_MISSING")


def test_a_message_over_the_limit_is_refused(grpc_stub: chat_pb2_grpc.ChatServiceStub, metadata: Metadata) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        list(grpc_stub.StreamChat(chat_request("x" * 34_000_000), metadata=metadata))
    assert reason_of(failed) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE")


def test_20_kb_of_metadata_are_refused(grpc_stub: chat_pb2_grpc.ChatServiceStub, metadata: Metadata) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        grpc_stub.ListModels(chat_pb2.ListModelsRequest(), metadata=(*metadata, ("x-padding", "x" * 20_000)))
    assert reason_of(failed) == (grpc.StatusCode.INVALID_ARGUMENT, "METADATA_TOO_LARGE")


def test_the_request_id_comes_back(grpc_stub: chat_pb2_grpc.ChatServiceStub, metadata: Metadata) -> None:
    calls = grpc_stub.StreamChat(chat_request("Hello"), metadata=(*metadata, ("x-request-id", "mine-1")))
    list(calls)
    assert ("x-request-id", "mine-1") in [tuple(pair) for pair in calls.initial_metadata()]


def test_an_unknown_rpc_is_unimplemented(grpc_channel: grpc.Channel, metadata: Metadata) -> None:
    call: grpc.UnaryUnaryMultiCallable[bytes, bytes] = grpc_channel.unary_unary("/aichat.v1.ChatService/NoSuchCall")
    with pytest.raises(grpc.RpcError) as failed:
        call(b"", metadata=metadata)
    assert code_of(failed) is grpc.StatusCode.UNIMPLEMENTED


def test_health_is_asked_without_a_key(grpc_channel: grpc.Channel) -> None:
    call = grpc_channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=HealthCheckRequest.SerializeToString,
        response_deserializer=HealthCheckResponse.FromString,
    )
    assert call(HealthCheckRequest()).status == HealthCheckResponse.SERVING


def test_a_deadline_ends_the_call(grpc_stub: chat_pb2_grpc.ChatServiceStub, metadata: Metadata) -> None:
    with pytest.raises(grpc.RpcError) as failed:
        list(grpc_stub.StreamChat(chat_request('#script {"hang": true}', MODEL), metadata=metadata, timeout=0.5))
    assert code_of(failed) is grpc.StatusCode.DEADLINE_EXCEEDED
