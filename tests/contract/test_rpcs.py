"""Each RPC of the contract has a servicer method, an HTTP mapping, an access option and an SDK method."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from pathlib import Path

import aichat_server
import pytest
from aichat.v1 import annotations_pb2, chat_pb2
from aichat_sdk import AsyncAIChat
from aichat_server.transport.access import access_by_method
from aichat_server.transport.counting import MessageShape, shape_of
from aichat_server.transport.options import MAX_REQUEST_BYTES
from aichat_server.transport.server import SERVICES
from google.api import annotations_pb2 as http_annotations
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.descriptor_pb2 import FileDescriptorSet, MethodOptions

ROOT = Path(__file__).resolve().parents[2]


def services() -> Iterator[ServiceDescriptor]:
    """Every service of the contract, by its descriptors: one that is new is found without being named here."""
    for file in FileDescriptorSet.FromString((ROOT / "gen/descriptors.binpb").read_bytes()).file:
        if file.package == "aichat.v1":
            module = importlib.import_module(file.name.replace("/", ".").replace(".proto", "_pb2"))
            yield from module.DESCRIPTOR.services_by_name.values()


def servicer(service: ServiceDescriptor) -> type:
    """The class of the server that serves it."""
    base = f"{service.name}Servicer"
    found_modules = pkgutil.walk_packages(aichat_server.__path__, f"{aichat_server.__name__}.")
    modules = [importlib.import_module(found.name) for found in found_modules if ".rpc" in found.name]
    [found] = {
        value
        for module in modules
        for value in vars(module).values()
        if inspect.isclass(value) and base in [parent.__name__ for parent in value.__bases__]
    }
    return found


METHODS: list[MethodDescriptor] = [method for service in services() for method in service.methods]
SDK = {
    "StreamChat": "chat.stream",
    "ResumeChat": "chat.resume",
    "CancelGeneration": "chat.cancel",
    "ListModels": "models.list",
    "CreateConversation": "conversations.create",
    "GetConversation": "conversations.get",
    "ListConversations": "conversations.list",
    "UpdateConversation": "conversations.update",
    "DeleteConversation": "conversations.delete",
    "ListMessages": "conversations.list_messages",
    "GetNotificationSettings": "notifications.get",
    "UpdateNotificationSettings": "notifications.update",
    "QueryUsage": "usage.query",
    "GetQuotas": "usage.quotas",
    "ListUsageEvents": "usage.events",
    "ExportUsageEvents": "usage.export",
    "ListPlans": "billing.list_plans",
    "GetSubscription": "billing.get_subscription",
    "CreateCheckoutSession": "billing.create_checkout_session",
    "CreatePortalSession": "billing.create_portal_session",
    "ChangePlan": "billing.change_plan",
    "ListInvoices": "billing.list_invoices",
    "VerifyInvoice": "billing.verify_invoice",
}

each_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)


def test_every_service_of_the_contract_is_served() -> None:
    assert {service.full_name for service in SERVICES} == {method.containing_service.full_name for method in METHODS}


@each_method
def test_it_has_a_servicer_method_of_its_shape(method: MethodDescriptor) -> None:
    implementation = vars(servicer(method.containing_service)).get(method.name)
    assert implementation is not None
    assert inspect.isasyncgenfunction(implementation) == method.server_streaming
    assert inspect.iscoroutinefunction(implementation) != method.server_streaming


@each_method
def test_it_has_an_http_mapping_under_v1(method: MethodDescriptor) -> None:
    rule = method.GetOptions().Extensions[http_annotations.http]
    verb = rule.WhichOneof("pattern")
    assert verb is not None
    assert getattr(rule, verb).startswith("/v1/")
    reads = method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS
    assert (verb == "get") == reads


@each_method
def test_it_says_who_may_call_it(method: MethodDescriptor) -> None:
    assert f"/{method.containing_service.full_name}/{method.name}" in access_by_method(SERVICES)


@each_method
def test_it_says_how_large_its_request_may_be(method: MethodDescriptor) -> None:
    most = method.GetOptions().Extensions[annotations_pb2.max_request_bytes]
    assert 0 < most <= MAX_REQUEST_BYTES
    # What can be sent without credentials, or be large, is named here, so that nothing comes to be so by chance.
    assert most <= 65536 or method.name in ("StreamChat", "StripeWebhook")


@each_method
def test_lists_in_its_request_have_a_limit(method: MethodDescriptor) -> None:
    def unlimited(shape: MessageShape, path: str) -> Iterator[str]:
        for field in shape.values():
            if field.most == 0:
                yield f"{path}.{field.name}"
            if field.message is not None:
                yield from unlimited(field.message, f"{path}.{field.name}")

    # Those of foreign messages are refused unless they are empty.
    foreign = ("event.extensions", "form.extensions")
    found = [path.removeprefix(".") for path in unlimited(shape_of(method.input_type), "")]
    assert [path for path in found if path not in foreign and not path.startswith(foreign)] == []


@each_method
async def test_it_has_an_sdk_method_unless_it_is_not_for_members(method: MethodDescriptor) -> None:
    if access_by_method(SERVICES)[f"/{method.containing_service.full_name}/{method.name}"].public:
        assert method.name not in SDK
        return
    async with AsyncAIChat(api_key="ak_none", endpoint="127.0.0.1:1") as client:
        found: object = client
        for step in SDK[method.name].split("."):
            found = getattr(found, step)
        assert callable(found)


@each_method
def test_its_messages_are_its_own(method: MethodDescriptor) -> None:
    assert method.input_type.name == f"{method.name}Request"
    assert method.output_type.name == f"{method.name}Response"


def test_a_resumed_stream_has_the_events_of_the_first() -> None:
    """So that clients may read both as one."""
    first, resumed = chat_pb2.StreamChatResponse.DESCRIPTOR, chat_pb2.ResumeChatResponse.DESCRIPTOR
    described = [
        [(field.number, field.name, field.type, field.message_type) for field in message.fields]
        for message in (first, resumed)
    ]
    assert described[0] == described[1]


def test_an_rpc_that_does_not_say_who_may_call_it_stops_the_start() -> None:
    file = descriptor_pb2.FileDescriptorProto(name="silent.proto", package="silent", syntax="proto3")
    file.message_type.add(name="Empty")
    service = file.service.add(name="Silent")
    service.method.add(name="Speak", input_type=".silent.Empty", output_type=".silent.Empty")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    with pytest.raises(ValueError, match=r"silent\.Silent\.Speak"):
        access_by_method([*SERVICES, pool.FindServiceByName("silent.Silent")])
