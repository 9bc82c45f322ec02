"""Builds the server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aichat_server.app.billing import build_billing, build_inbox, build_proofs, open_payments
from aichat_server.app.billing_servicer import BillingServicer
from aichat_server.app.compat import FOREIGN_ERRORS, build_compat
from aichat_server.app.embeddings import build_embeddings
from aichat_server.app.engine import open_engine
from aichat_server.app.files import build_files
from aichat_server.app.parts import (
    build_authentication,
    build_notifications,
    open_authenticator,
)
from aichat_server.billing.service.billing import Payments
from aichat_server.conversations.rpc.chat import ChatServicer
from aichat_server.conversations.rpc.conversations import ConversationServicer
from aichat_server.conversations.service.chat import Chat
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.conversations.service.counting import TokenCounts
from aichat_server.conversations.service.summaries import Summaries
from aichat_server.conversations.storage.summaries import SummaryStore
from aichat_server.core.database.database import Database
from aichat_server.embeddings.rpc.servicer import EmbeddingServicer
from aichat_server.files.rpc.servicer import FileServicer
from aichat_server.generations.service.answers import Replicas
from aichat_server.generations.service.generations import Generations
from aichat_server.generations.service.keep_nothing import KeepNothing
from aichat_server.limits.rpc import CallLimits
from aichat_server.notifications.rpc.servicer import NotificationServicer
from aichat_server.plans.service import PlanBook
from aichat_server.settings import Settings
from aichat_server.telemetry.observing import Observer
from aichat_server.transport.server import RpcServer, build_server
from aichat_server.transport.services import Servicer
from aichat_server.usage.rpc.servicer import UsageServicer
from aichat_server.usage.service.reports import UsageReports


@dataclass(frozen=True, slots=True)
class App:
    """A server that is ready to listen."""

    server: RpcServer
    generations: Generations
    replicas: Replicas | None
    announce_seconds: float
    drain_seconds: float

    async def stop(self) -> None:
        """Drains the server and stops it.

        It first reports that it accepts no new turns, and then refuses them; running ones may finish within the grace
        period, and the rest is stored as interrupted.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.announce_seconds + self.drain_seconds

        async def end_rest() -> None:
            if self.replicas is not None:
                # Streams that are only read here can be resumed elsewhere.
                self.replicas.mirrors.close()
            # Answers whose callers disconnected are still being written, and have the same grace period.
            await self.generations.drain(max(0.0, deadline - loop.time()))

        await self.server.stop(self.drain_seconds, end_rest, announce=self.announce_seconds)


@asynccontextmanager
async def build(settings: Settings, observer: Observer) -> AsyncGenerator[App, None]:
    """Builds the server, which reports its work to `observer`; closes everything at the end."""
    async with AsyncExitStack() as stack:
        engine = await stack.enter_async_context(open_engine(settings, observer))
        opened, plans, running = engine.database, engine.plans, engine.running
        payments = await stack.enter_async_context(open_payments(settings, opened, plans))
        authenticator = await stack.enter_async_context(open_authenticator(settings, opened, engine.clock, observer))
        files = build_files(settings, opened)
        embeddings = build_embeddings(engine, observer)
        turns, counter = engine.stores.turns, engine.counter
        sink = KeepNothing(engine.stores.generations)
        summaries = Summaries(engine.models, running.launcher, sink, SummaryStore(opened), counter)
        chat = Chat(engine.models, turns, running.launcher, running.answers, files, counter, summaries)
        counts = TokenCounts(engine.models, turns, running.answers, files, counter)
        servicers: tuple[Servicer, ...] = (
            ChatServicer(chat, running.answers, counts),
            ConversationServicer(Conversations(opened)),
            FileServicer(files),
            EmbeddingServicer(embeddings),
            NotificationServicer(build_notifications(settings, opened)),
            UsageServicer(UsageReports(opened)),
            _billing_servicer(settings, opened, plans, payments),
            *build_compat(engine, files, embeddings, sink, settings, observer),
        )
        # The limits are the caller's, who must be identified by then.
        steps = (build_authentication(settings, authenticator).authenticate, CallLimits(engine.limits).check)
        reflect = settings.environment == "development"
        server = build_server(servicers, steps, observer, reflect=reflect, foreign_errors=FOREIGN_ERRORS)
        yield App(server, running.generations, running.replicas, settings.announce_seconds, settings.drain_seconds)


def _billing_servicer(
    settings: Settings, database: Database, plans: PlanBook, payments: Payments | None
) -> BillingServicer:
    return BillingServicer(
        build_billing(settings, database, plans, payments),
        build_inbox(settings, database),
        build_proofs(database, payments),
    )
