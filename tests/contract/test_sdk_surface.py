"""The SDK calls every RPC of the contract, retries only those that may be repeated, and exports its whole surface."""

from __future__ import annotations

import importlib
import inspect
import os
import pkgutil
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

import aichat_sdk
import grpc
import pytest
import reference
import sync_client
from aichat_sdk import AIChat, AsyncAIChat, UnavailableError
from google.protobuf.descriptor_pb2 import MethodOptions

from tests.fixtures.contract import is_foreign, is_public, methods
from tests.unit.sdk.scripted import API_KEY, ScriptedServer, fail

METHODS = {name: rpc for name, rpc in methods().items() if not is_foreign(rpc)}
SOURCE = str | os.PathLike[str] | bytes | Iterable[bytes] | AsyncIterable[bytes]
SAMPLES: dict[object, object] = {
    str: "a", datetime: datetime.now(UTC), str | None: None, bool | None: None, SOURCE: b"a"
}  # fmt: skip
CHAT = {"model": "m", "text": "Hi"}


def public_methods(client: AsyncAIChat | AIChat) -> list[str]:
    """Returns every public method of the client's resources, such as `chat.send`."""
    resources = {name: value for name, value in vars(client).items() if name[0] != "_"}
    return [
        f"{resource}.{name}"
        for resource, value in resources.items()
        for name, _ in inspect.getmembers(value, inspect.ismethod)
        if name[0] != "_"
    ]


SDK_METHODS = public_methods(AsyncAIChat(endpoint="localhost:1", api_key=API_KEY))


def arguments(method: Callable[..., Any]) -> dict[str, object]:
    """Returns a value for each argument that the method requires."""
    hints, given = get_type_hints(method), dict[str, object]()
    for parameter in inspect.signature(method).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            given |= CHAT
        elif parameter.default is parameter.empty:
            given[parameter.name] = SAMPLES[hints[parameter.name]]
    return given


async def call(client: AsyncAIChat, name: str) -> None:
    """Calls one method, and reads its result to the end."""
    resource, _, method_name = name.partition(".")
    method = getattr(getattr(client, resource), method_name)
    result = method(**arguments(method))
    if isinstance(result, AbstractAsyncContextManager):
        async with result as stream:
            await stream.get_final_message()
    elif isinstance(result, AsyncIterable):
        async for _ in result:
            pass
    else:
        await result


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """Fails each call with an error that a retry may fix."""
    async with ScriptedServer.start() as scripted:
        for name in METHODS:
            scripted.on(name, *[fail(grpc.StatusCode.UNAVAILABLE, "SERVER_UNAVAILABLE")] * 4)
        yield scripted


async def test_every_rpc_has_a_method_of_the_sdk_unless_it_is_not_for_members(server: ScriptedServer) -> None:
    async with AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY, max_retries=0) as client:
        for name in SDK_METHODS:
            with pytest.raises(UnavailableError):
                await call(client, name)
    assert {call.method for call in server.calls} == {name for name, rpc in METHODS.items() if not is_public(rpc)}


@pytest.mark.parametrize("name", SDK_METHODS)
async def test_method_calls_its_rpc_and_repeats_it_if_the_contract_allows(server: ScriptedServer, name: str) -> None:
    async with AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY, max_retries=1) as client:
        with pytest.raises(UnavailableError):
            await call(client, name)
    rpc = METHODS[server.calls[0].method]
    # StreamChat and CreateEmbeddings are not idempotent by themselves: the request_id, which the SDK always sends,
    # makes them so. UploadFile stores the same bytes once.
    idempotent = rpc.GetOptions().idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN
    repeatable = rpc.server_streaming or rpc.client_streaming or idempotent or rpc.name == "CreateEmbeddings"
    retries = 0 if not repeatable else 3 if rpc.name == "ResumeChat" else 1
    assert [call.method for call in server.calls] == [rpc.name] * (1 + retries)


def test_exported_names_exist_and_are_the_whole_surface() -> None:
    for module in (
        "aichat_sdk",
        "aichat_sdk.types",
        "aichat_sdk.errors",
        "aichat_sdk.chat",
        "aichat_sdk.content",
        "aichat_sdk.files",
        "aichat_sdk.paging",
        "aichat_sdk.sync",
        "aichat_sdk.testing",
        "aichat_sdk.tools",
        "aichat_sdk.usage",
    ):
        for name in importlib.import_module(module).__all__:
            assert getattr(importlib.import_module(module), name) is not None
    assert set(aichat_sdk.errors.__all__) < set(aichat_sdk.__all__), "errors can be caught by what the package exports"
    assert sorted(aichat_sdk.__all__) == [
        "AIChat", "AIChatError", "AnswerCancelledError", "AnswerInvalidError", "AnswerRefusedError", "AnswerStream",
        "ArgumentError", "AsyncAIChat", "Audio", "AuthenticationError", "BillingError", "ChatStream", "ClosedError",
        "ConfigurationError", "ConflictError", "ConnectionFailedError", "DeadlineExceededError", "Document",
        "FieldViolation", "Image", "InvalidRequestError", "NotFoundError", "NotResumableError", "Page", "Pager",
        "PermissionDeniedError", "ProviderError", "QuotaExceededError", "RateLimitError",
        "RequestTooLargeError", "ServerError", "TLS", "Tool", "ToolResult", "ToolRoundsExceededError", "ToolRun",
        "TypedAnswer", "UnavailableError", "__version__", "citations", "cost_usd", "message_text",
        "reasoning_text", "tool_calls", "types",
    ]  # fmt: skip


def test_the_client_without_an_event_loop_is_generated_from_the_other(tmp_path: Path) -> None:
    sync_client.main(tmp_path / "sync")
    folder = Path(aichat_sdk.__path__[0]) / "sync"
    made, kept = ({path.name: path.read_text() for path in one.glob("*.py")} for one in (tmp_path / "sync", folder))
    assert made == kept, "run `make generate`"
    client = AIChat(endpoint="localhost:1", api_key=API_KEY)
    assert public_methods(client) == SDK_METHODS


def test_the_reference_is_generated_from_the_docstrings(tmp_path: Path) -> None:
    reference.main(tmp_path / "page.md")
    assert (tmp_path / "page.md").read_text() == reference.PAGE.read_text(), "run `make generate`"


def test_everything_public_is_documented() -> None:
    for found in pkgutil.iter_modules(aichat_sdk.__path__, "aichat_sdk."):
        if found.name.split(".")[-1].startswith("_"):
            continue
        module = importlib.import_module(found.name)
        assert module.__doc__, found.name
        assert module.__all__, found.name
    assert (Path(aichat_sdk.__path__[0]) / "py.typed").is_file()
