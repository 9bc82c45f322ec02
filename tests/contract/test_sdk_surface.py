"""The SDK calls every RPC of the contract, repeats just those that may be repeated, and exports what it says."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import aichat_sdk
import grpc
import pytest
from aichat_sdk import AsyncAIChat, UnavailableError
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodDescriptorProto, MethodOptions

from tests.unit.sdk.scripted import API_KEY, ScriptedServer, fail

NOW = datetime.now(UTC)
DESCRIPTORS = Path(__file__).parents[2] / "gen/descriptors.binpb"


async def _resumed(client: AsyncAIChat) -> object:
    async with client.chat.resume("g") as stream:
        return await stream.get_final_message()


async def _exported(client: AsyncAIChat) -> object:
    return [piece async for piece in client.usage.export(NOW, NOW)]


CALLS: dict[str, Callable[[AsyncAIChat], Awaitable[object]]] = {
    "StreamChat": lambda client: client.chat.send(model="m", text="Hi"),
    "ResumeChat": _resumed,
    "CancelGeneration": lambda client: client.chat.cancel("g"),
    "ListModels": lambda client: client.models.list(),
    "CreateConversation": lambda client: client.conversations.create(),
    "GetConversation": lambda client: client.conversations.get("c"),
    "ListConversations": lambda client: client.conversations.list(),
    "UpdateConversation": lambda client: client.conversations.update("c", title="t"),
    "DeleteConversation": lambda client: client.conversations.delete("c"),
    "ListMessages": lambda client: client.conversations.list_messages("c"),
    "GetNotificationSettings": lambda client: client.notifications.get(),
    "UpdateNotificationSettings": lambda client: client.notifications.update(quota_warnings=False),
    "QueryUsage": lambda client: client.usage.query(NOW, NOW),
    "GetQuotas": lambda client: client.usage.quotas(),
    "ListUsageEvents": lambda client: client.usage.events(NOW, NOW),
    "ExportUsageEvents": _exported,
    "ListPlans": lambda client: client.billing.list_plans(),
    "GetSubscription": lambda client: client.billing.get_subscription(),
    "CreateCheckoutSession": lambda client: client.billing.create_checkout_session(
        "pro", success_url="https://a.example", cancel_url="https://a.example"
    ),
    "CreatePortalSession": lambda client: client.billing.create_portal_session(return_url="https://a.example"),
    "ChangePlan": lambda client: client.billing.change_plan("free"),
    "ListInvoices": lambda client: client.billing.list_invoices(),
    "VerifyInvoice": lambda client: client.billing.verify_invoice("2026-10"),
}


# Answered by pages and called by whom a link brought there, or called by Stripe.
FOR_OTHERS = {"ShowUnsubscribe", "Unsubscribe", "StripeWebhook"}


def contract() -> dict[str, MethodDescriptorProto]:
    files = FileDescriptorSet.FromString(DESCRIPTORS.read_bytes()).file
    services = [service for file in files if file.package == "aichat.v1" for service in file.service]
    return {method.name: method for service in services for method in service.method}


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    async with ScriptedServer.start() as scripted:
        yield scripted


def test_every_rpc_has_a_method_of_the_sdk() -> None:
    assert set(CALLS) == set(contract()) - FOR_OTHERS


@pytest.mark.parametrize("name", CALLS)
async def test_method_calls_its_rpc_and_repeats_it_if_the_contract_allows(server: ScriptedServer, name: str) -> None:
    server.on(name, *[fail(grpc.StatusCode.UNAVAILABLE, "SERVER_UNAVAILABLE")] * 4)
    async with AsyncAIChat(endpoint=server.endpoint, api_key=API_KEY, max_retries=1) as client:
        with pytest.raises(UnavailableError):
            await CALLS[name](client)
    method = contract()[name]
    # StreamChat is not idempotent by itself; the request_id, which the SDK always sends, makes it so.
    repeatable = method.server_streaming or method.options.idempotency_level != MethodOptions.IDEMPOTENCY_UNKNOWN
    retries = 0 if not repeatable else 3 if name == "ResumeChat" else 1
    assert [call.method for call in server.calls] == [name] * (1 + retries)


def test_no_method_of_the_sdk_is_left_out_here() -> None:
    client = AsyncAIChat(endpoint="localhost:1", api_key=API_KEY)
    resources = [
        *(client.chat, client.models, client.conversations),
        *(client.notifications, client.usage, client.billing),
    ]
    methods = [name for one in resources for name, _ in inspect.getmembers(one, inspect.ismethod) if name[0] != "_"]
    # chat.stream and chat.send are two ways to call one RPC.
    assert len(methods) == len(CALLS) + 1


def test_exported_names_exist_and_are_the_whole_surface() -> None:
    for module in (
        "aichat_sdk",
        "aichat_sdk.types",
        "aichat_sdk.errors",
        "aichat_sdk.chat",
        "aichat_sdk.paging",
        "aichat_sdk.usage",
    ):
        for name in importlib.import_module(module).__all__:
            assert getattr(importlib.import_module(module), name) is not None
    assert set(aichat_sdk.errors.__all__) < set(aichat_sdk.__all__), "errors can be caught by what the package exports"
    assert sorted(aichat_sdk.__all__) == [
        "AIChatError", "AnswerCancelledError", "AnswerRefusedError", "AnswerStream", "AsyncAIChat",
        "AuthenticationError", "BillingError", "ChatStream", "ClosedError", "ConfigurationError", "ConflictError",
        "ConnectionFailedError", "DeadlineExceededError", "FieldViolation", "InvalidRequestError", "NotFoundError",
        "NotResumableError", "Page", "Pager", "PermissionDeniedError", "ProviderError", "QuotaExceededError",
        "RateLimitError", "RequestTooLargeError", "ServerError", "UnavailableError", "__version__", "cost_usd",
        "message_text", "types",
    ]  # fmt: skip


def test_everything_public_is_documented() -> None:
    for found in pkgutil.iter_modules(aichat_sdk.__path__, "aichat_sdk."):
        if found.name.split(".")[-1].startswith("_"):
            continue
        module = importlib.import_module(found.name)
        assert module.__doc__, found.name
        assert module.__all__, found.name
    assert (Path(aichat_sdk.__path__[0]) / "py.typed").is_file()
