"""Invalid input: each gets a typed error that says what to do, and leaves nothing behind."""

from typing import Any
from uuid import uuid4

import grpc
import pytest
from aichat.v1 import chat_pb2, options_pb2

from tests.fixtures.server import ApiKey, RunServer, ServerUnderTest
from tests.integration.conversations.asking import ask, conversations, history, refusal, script, stream

HELLO = script(deltas=["hello"])


@pytest.mark.parametrize(
    ("fields", "reason", "code"),
    [
        ({"model": "no-such-model"}, "MODEL_UNKNOWN", grpc.StatusCode.NOT_FOUND),
        ({"model": "Robert'); DROP TABLE"}, "REQUEST_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
        ({"conversation_id": "42"}, "REQUEST_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
        ({"parent_message_id": str(uuid4())}, "REQUEST_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
        ({"text": ""}, "REQUEST_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
        ({"text": " \n\t "}, "REQUEST_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
        ({"text": "\u00a0\u3000\u2028"}, "REQUEST_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
        ({"text": "a\0b"}, "REQUEST_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
        ({"text": "a" * (2**20 + 1)}, "REQUEST_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
        ({"options": options_pb2.ChatOptions(temperature=3)}, "REQUEST_INVALID", grpc.StatusCode.INVALID_ARGUMENT),
        (
            {"options": options_pb2.ChatOptions(max_output_tokens=0)},
            "REQUEST_INVALID",
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
        (
            {"options": options_pb2.ChatOptions(max_output_tokens=10**9)},
            "OPTION_UNSUPPORTED",
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
        (
            {"options": options_pb2.ChatOptions(stop=["END", "\n\u00a0"]), "model": "claude-haiku-5-5"},
            "OPTION_UNSUPPORTED",
            grpc.StatusCode.INVALID_ARGUMENT,
        ),
    ],
)
async def test_bad_input_is_refused_and_leaves_nothing(
    server: ServerUnderTest, api_key: ApiKey, fields: dict[str, Any], reason: str, code: grpc.StatusCode
) -> None:
    failed = await refusal(stream(server, api_key, **{"text": HELLO, **fields}))
    assert (failed.reason, failed.code, failed.seen) == (reason, code, [])
    assert await conversations(server, api_key) == []


async def test_an_unknown_and_a_foreign_conversation_get_the_same_answer(
    server: ServerUnderTest, api_key: ApiKey, foreign_key: ApiKey
) -> None:
    theirs = (await ask(server, foreign_key, HELLO))[0].started.conversation_id
    unknown = await refusal(stream(server, api_key, HELLO, conversation_id=str(uuid4())))
    foreign = await refusal(stream(server, api_key, HELLO, conversation_id=theirs))
    assert (unknown.reason, unknown.code, unknown.message) == (foreign.reason, foreign.code, foreign.message)
    assert unknown.reason == "CONVERSATION_NOT_FOUND"
    assert len(await history(server, foreign_key, theirs)) == 2
    assert await conversations(server, api_key) == []


async def test_an_unknown_a_foreign_and_another_conversations_parent_get_the_same_answer(
    server: ServerUnderTest, api_key: ApiKey, foreign_key: ApiKey
) -> None:
    mine = (await ask(server, api_key, HELLO))[0].started
    other = (await ask(server, api_key, HELLO))[0].started
    theirs = (await ask(server, foreign_key, HELLO))[0].started
    failures = [
        await refusal(
            stream(server, api_key, HELLO, conversation_id=mine.conversation_id, parent_message_id=message_id)
        )
        for message_id in (str(uuid4()), other.message_id, theirs.message_id)
    ]
    assert {(failed.reason, failed.message) for failed in failures} == {
        ("MESSAGE_NOT_FOUND", failures[0].message),
    }
    assert len(await history(server, api_key, mine.conversation_id)) == 2


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ({"status": 401}, "PROVIDER_UNAVAILABLE"),
        ({"status": 404}, "PROVIDER_MODEL_MISSING"),
        ({"status": 400}, "PROVIDER_REQUEST_REJECTED"),
        ({"status": 429, "retry_after": 30}, "PROVIDER_RATE_LIMITED"),
        ({"status": 529}, "PROVIDER_OVERLOADED"),
        ({"status": 500}, "PROVIDER_UNAVAILABLE"),
        ({"empty": True}, "PROVIDER_EMPTY_ANSWER"),
        ({"deltas": ["\n", "\u2003"]}, "PROVIDER_EMPTY_ANSWER"),
        ({"deltas": [], "stop": "refusal"}, "ANSWER_REFUSED"),
    ],
)
async def test_a_failing_vendor_is_a_typed_error(
    server: ServerUnderTest, api_key: ApiKey, reply: dict[str, object], reason: str
) -> None:
    failed = await refusal(stream(server, api_key, script(**reply)))
    assert (failed.reason, failed.metadata["provider"]) == (reason, "openai")
    assert await conversations(server, api_key) == []


async def test_a_vendor_that_cannot_be_reached_or_has_no_key(run_server: RunServer, api_key: ApiKey) -> None:
    closed = {"OPENAI_BASE_URL": "http://127.0.0.1:9/v1", "ANTHROPIC_API_KEY": ""}
    async with run_server(**closed) as server:
        unreachable = await refusal(stream(server, api_key, HELLO))
        assert unreachable.reason == "PROVIDER_UNAVAILABLE"
        without_key = await refusal(stream(server, api_key, HELLO, model="claude-haiku-5-5"))
        assert without_key.reason == "PROVIDER_NOT_CONFIGURED"
        listed = await server.chat.ListModels(chat_pb2.ListModelsRequest(), metadata=api_key.metadata)
        assert "anthropic" not in {model.provider for model in listed.models}
        assert await conversations(server, api_key) == []
