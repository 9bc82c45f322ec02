"""A server of the contract's services with real Postgres, without vendors."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import grpc
import pytest
from aichat.v1 import chat_pb2, events_pb2
from aichat.v1.chat_pb2_grpc import ChatServiceServicer, ChatServiceStub, add_ChatServiceServicer_to_server
from aichat.v1.conversations_pb2_grpc import ConversationServiceStub
from aichat.v1.notifications_pb2_grpc import NotificationServiceStub
from aichat.v1.usage_pb2_grpc import UsageServiceStub
from aichat_server.app.billing_servicer import BillingServicer
from aichat_server.billing.service.billing import Billing
from aichat_server.billing.service.webhooks import WebhookInbox
from aichat_server.conversations.rpc.conversations import ConversationServicer
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.core.database.database import Database
from aichat_server.core.errors import Reason
from aichat_server.identity.rpc.authentication import Authentication
from aichat_server.identity.service.authenticator import Authenticator
from aichat_server.identity.service.organizations import MintedKey, Organizations
from aichat_server.invoices.service.proofs import InvoiceProofs
from aichat_server.limits.rpc import CallLimits
from aichat_server.limits.service import RateLimits
from aichat_server.notifications.rpc.servicer import NotificationServicer
from aichat_server.notifications.service.notifications import Notifications
from aichat_server.payments.gateway.stripe_events import StripeWebhooks
from aichat_server.plans.service import PlanBook, StoredPlans
from aichat_server.telemetry.observing import Observer
from aichat_server.transport.server import RpcServer, build_server
from aichat_server.usage.rpc.servicer import UsageServicer
from aichat_server.usage.service.reports import UsageReports
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status

from tests.fixtures.auth import SECRET, Auth

if TYPE_CHECKING:
    from aichat.v1.chat_pb2_grpc import ChatServiceAsyncStub
    from aichat.v1.conversations_pb2_grpc import ConversationServiceAsyncStub
    from aichat.v1.notifications_pb2_grpc import NotificationServiceAsyncStub
    from aichat.v1.usage_pb2_grpc import UsageServiceAsyncStub

COOKIE = "sb-access-token"
ORIGIN = "https://app.example"
SIGNING_SECRET = "what signs webhooks in tests"
MAIL_SECRET = "what signs the links of e-mails in tests"

Headers = tuple[tuple[str, str], ...]


class WaitingChat(ChatServiceServicer):
    """Answers with one heartbeat, and with another when it shuts down."""

    add_to = add_ChatServiceServicer_to_server

    def __init__(self) -> None:
        self.end = asyncio.Event()

    async def StreamChat(  # noqa: N802
        self, _request: chat_pb2.StreamChatRequest, _context: object
    ) -> AsyncGenerator[chat_pb2.StreamChatResponse, None]:
        yield chat_pb2.StreamChatResponse(heartbeat=events_pb2.Heartbeat())
        await self.end.wait()
        yield chat_pb2.StreamChatResponse(heartbeat=events_pb2.Heartbeat())

    async def ResumeChat(  # noqa: N802
        self, _request: chat_pb2.ResumeChatRequest, _context: object
    ) -> AsyncGenerator[chat_pb2.ResumeChatResponse, None]:
        yield chat_pb2.ResumeChatResponse()

    async def CancelGeneration(  # noqa: N802
        self, _request: chat_pb2.CancelGenerationRequest, _context: object
    ) -> chat_pb2.CancelGenerationResponse:
        return chat_pb2.CancelGenerationResponse()

    async def ListModels(  # noqa: N802
        self, _request: chat_pb2.ListModelsRequest, _context: object
    ) -> chat_pb2.ListModelsResponse:
        return chat_pb2.ListModelsResponse()


@dataclass(frozen=True, slots=True)
class Client:
    """A channel to a server, and its stubs."""

    channel: grpc.aio.Channel
    server: RpcServer
    waiting: WaitingChat

    @property
    def chat(self) -> ChatServiceAsyncStub:
        return ChatServiceStub(self.channel)

    @property
    def conversations(self) -> ConversationServiceAsyncStub:
        return ConversationServiceStub(self.channel)

    @property
    def notifications(self) -> NotificationServiceAsyncStub:
        return NotificationServiceStub(self.channel)

    @property
    def usage(self) -> UsageServiceAsyncStub:
        return UsageServiceStub(self.channel)


@dataclass(frozen=True, slots=True)
class Refusal:
    """How a call was refused."""

    code: grpc.StatusCode
    reason: Reason
    metadata: Mapping[str, str]
    status: Status


def refusal(error: grpc.aio.AioRpcError) -> Refusal:
    """Returns the contents of a refused call's trailers."""
    packed = dict(error.trailing_metadata())["grpc-status-details-bin"]
    assert isinstance(packed, bytes)
    status, info = Status.FromString(packed), ErrorInfo()
    assert status.details[0].Unpack(info)
    return Refusal(error.code(), Reason(info.reason), dict(info.metadata), status)


@asynccontextmanager
async def serving(authenticator: Authenticator, database: Database) -> AsyncGenerator[Client, None]:
    """A server on a free port, and a channel to it."""
    authentication = Authentication(authenticator, cookie=COOKIE, origins=(ORIGIN,))
    conversations = ConversationServicer(Conversations(database))
    usage = UsageServicer(UsageReports(database))
    waiting = WaitingChat()
    notifications = NotificationServicer(Notifications(database, MAIL_SECRET))
    plans = PlanBook(StoredPlans(database))
    await plans.refresh()
    billing = BillingServicer(
        Billing(database, plans, None, timedelta(0)),
        WebhookInbox(database, StripeWebhooks(SIGNING_SECRET)),
        InvoiceProofs(database, None),
    )
    steps = (authentication.authenticate, CallLimits(RateLimits(None, plans.rates)).check)
    servicers = (waiting, conversations, notifications, usage, billing)
    server = build_server(servicers, steps, Observer(), reflect=True)
    port = await server.start("127.0.0.1:0")
    options = (("grpc.max_receive_message_length", 8 << 20),)
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=options) as channel:
        yield Client(channel, server, waiting)
    await server.stop(0, _nothing)


async def _nothing() -> None:
    """There are no generations to end."""


@pytest.fixture
def authenticator(auth: Auth, database: Database) -> Authenticator:
    """A new one for each test, so that no test sees another's cache."""
    return Authenticator(database, auth.verifier(secret=SECRET), cache_seconds=0)


@pytest.fixture
async def client(authenticator: Authenticator, database: Database) -> AsyncGenerator[Client, None]:
    async with serving(authenticator, database) as client:
        yield client


@pytest.fixture
async def key(database: Database, request: pytest.FixtureRequest) -> MintedKey:
    """An API key of an organisation of the test."""
    return await Organizations(database).mint_key(request.node.nodeid)


def bearer(credentials: str) -> Headers:
    """Returns the header that carries credentials."""
    return (("authorization", f"Bearer {credentials}"),)
