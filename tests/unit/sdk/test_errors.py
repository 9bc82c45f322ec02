"""From a call's status to the exception that a user catches."""

from __future__ import annotations

import inspect
import pickle
import re
from typing import Any

import grpc
import pytest
from aichat_sdk import AIChat, AIChatError, AsyncAIChat, FieldViolation, errors
from aichat_sdk._status import BY_REASON, BY_STATUS, error_of
from aichat_sdk.cli._advice import advice
from aichat_sdk.types import ErrorReason, Message
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.sdk.scripted import API_KEY, ScriptedServer, fail

FAILURES = [status for status in grpc.StatusCode if status is not grpc.StatusCode.OK]


def classes() -> list[type[AIChatError]]:
    found = [value for _, value in inspect.getmembers(errors, inspect.isclass)]
    return [value for value in found if issubclass(value, AIChatError)]


async def caught(client: AsyncAIChat, server: ScriptedServer, *arguments: Any, **details: Any) -> AIChatError:
    server.on("CreateConversation", fail(*arguments, **details))
    with pytest.raises(AIChatError) as info:
        await client.conversations.create()
    return info.value


async def test_details_reach_the_user(server: ScriptedServer, client: AsyncAIChat) -> None:
    error = await caught(
        client,
        server,
        grpc.StatusCode.NOT_FOUND,
        "MODEL_UNKNOWN",
        metadata={"model": "gpt-0"},
        retry_after=1.5,
        violations={"model": "is not one of ours"},
    )
    assert type(error) is errors.NotFoundError
    assert str(error) == error.message == "told by the test"
    assert (error.reason, error.status, error.metadata) == ("MODEL_UNKNOWN", "NOT_FOUND", {"model": "gpt-0"})
    assert error.retry_after == 1.5
    assert error.violations == (FieldViolation("model", "is not one of ours"),)
    assert error.request_id == "request-7"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (grpc.StatusCode.RESOURCE_EXHAUSTED, errors.RequestTooLargeError),
        (grpc.StatusCode.UNAUTHENTICATED, errors.AuthenticationError),
        (grpc.StatusCode.UNAVAILABLE, errors.ConnectionFailedError),
        (grpc.StatusCode.INTERNAL, errors.ConnectionFailedError),
        (grpc.StatusCode.UNIMPLEMENTED, errors.ServerError),
    ],
)
async def test_status_without_details_is_typed_too(
    server: ScriptedServer, client: AsyncAIChat, status: grpc.StatusCode, kind: type[AIChatError]
) -> None:
    error = await caught(client, server, status, text="said a proxy")
    assert type(error) is kind
    assert error.reason is None
    assert server.endpoint in str(error)
    assert "said a proxy" in str(error)


async def test_reason_of_a_newer_server_is_kept_and_falls_back_to_the_status(
    server: ScriptedServer, client: AsyncAIChat
) -> None:
    error = await caught(client, server, grpc.StatusCode.FAILED_PRECONDITION, "MOON_TOO_FULL", metadata={"phase": "1"})
    assert type(error) is errors.InvalidRequestError
    assert (error.reason, error.metadata) == ("MOON_TOO_FULL", {"phase": "1"})


@pytest.mark.parametrize("reason", [reason.name for reason in ErrorReason if reason])
async def test_every_reason_of_the_contract_has_its_class(
    server: ScriptedServer, client: AsyncAIChat, reason: str
) -> None:
    error = await caught(client, server, grpc.StatusCode.UNKNOWN, reason)
    assert type(error) is BY_REASON[reason]
    assert (type(error) is errors.ProviderError) == reason.startswith("PROVIDER_")


def test_tables_name_what_exists_and_all_of_it() -> None:
    assert set(BY_REASON) == {reason.name for reason in ErrorReason if reason}
    assert set(BY_STATUS) == set(FAILURES)


def test_tree_in_the_docstring_is_the_tree_of_the_classes() -> None:
    drawn: list[tuple[str, str]] = []
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        match = re.match(r"([│├└─ ]*)(\w+Error)  ?", line)
        if match:
            path = [*path[: len(match[1]) // 4], match[2]]
            drawn.append((path[-1], path[-2] if len(path) > 1 else "Exception"))
    real = [(kind.__name__, kind.__bases__[0].__name__) for kind in classes()]
    assert sorted(drawn) == sorted(real)
    assert {kind.__name__ for kind in classes()} <= set(errors.__all__)


def test_a_failure_reaches_another_process_whole() -> None:
    details: dict[str, Any] = {"reason": "A", "metadata": {"generation_id": "g"}, "retry_after": 1.0}
    for kind in classes():
        error = (
            errors.ToolRoundsExceededError(3, Message(generation_id="g"))
            if kind is errors.ToolRoundsExceededError
            else kind("no", violations=[FieldViolation("model", "is wrong")], **details)
        )
        read = pickle.loads(pickle.dumps(error))  # noqa: S301
        assert (type(read), str(read), vars(read)) == (kind, str(error), vars(error))
    for client in (AsyncAIChat, AIChat):
        with pytest.raises(TypeError, match="make a client in each process"):
            pickle.dumps(client(endpoint="localhost:1", api_key=API_KEY))


async def test_api_key_shows_nowhere(server: ScriptedServer, client: AsyncAIChat) -> None:
    error = await caught(client, server, grpc.StatusCode.UNAUTHENTICATED, "CREDENTIALS_INVALID")
    shown = [repr(client), str(client), repr(client._transport.settings), repr(error), str(error), repr(vars(error))]
    shown += [repr(error.__cause__), str(error.__cause__)]
    assert server.calls[0].metadata["authorization"] == f"Bearer {API_KEY}"
    assert not [text for text in shown if API_KEY in text]


@given(packed=st.binary(max_size=64))
def test_details_that_cannot_be_read_do_not_hide_the_status(packed: bytes) -> None:
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", packed))
    failure = grpc.aio.AioRpcError(grpc.StatusCode.NOT_FOUND, None, trailing, details="gone")
    assert type(error_of(failure, "host:1")) is errors.NotFoundError


@pytest.mark.parametrize("status", FAILURES)
def test_failure_that_says_nothing_still_says_what_it_is(status: grpc.StatusCode) -> None:
    error = error_of(grpc.aio.AioRpcError(status), "host:1")
    assert "host:1" in str(error)
    assert error.status == status.name


def test_the_command_says_where_an_answer_is_whose_connection_is_lost() -> None:
    error = errors.ConnectionFailedError("no connection to host:1", metadata={"conversation_id": "conversation-1"})
    assert advice(error).endswith("`aichat conversations show conversation-1`")
    assert "conversations" not in advice(errors.ConnectionFailedError("no connection to host:1"))
