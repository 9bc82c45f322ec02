"""Each RPC of the contract has a servicer method, an HTTP mapping, an access option and an SDK method."""

from __future__ import annotations

import inspect

import pytest
from aichat.v1 import billing_pb2, chat_pb2, conversations_pb2, notifications_pb2, usage_pb2
from aichat_sdk import AsyncAIChat
from aichat_server.rpc.access import access_by_method
from aichat_server.rpc.billing import BillingServicer
from aichat_server.rpc.chat import ChatServicer
from aichat_server.rpc.conversations import ConversationServicer
from aichat_server.rpc.notifications import NotificationServicer
from aichat_server.rpc.server import SERVICES
from aichat_server.rpc.usage import UsageServicer
from google.api import annotations_pb2 as http_annotations
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

FILES: tuple[FileDescriptor, ...] = tuple(
    file.DESCRIPTOR for file in (billing_pb2, chat_pb2, conversations_pb2, notifications_pb2, usage_pb2)
)
METHODS: list[MethodDescriptor] = [
    method for file in FILES for service in file.services_by_name.values() for method in service.methods
]
SERVICERS: dict[str, type] = {
    "aichat.v1.ChatService": ChatServicer,
    "aichat.v1.ConversationService": ConversationServicer,
    "aichat.v1.NotificationService": NotificationServicer,
    "aichat.v1.UsageService": UsageServicer,
    "aichat.v1.BillingService": BillingServicer,
}
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
    implementation = vars(SERVICERS[method.containing_service.full_name]).get(method.name)
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
