"""The server, put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aichat_server.app.background import running
from aichat_server.app.billing import build_billing, build_inbox, build_proofs, open_payments
from aichat_server.app.billing_servicer import BillingServicer
from aichat_server.app.catalogue import build_catalogue
from aichat_server.app.clock import open_clock
from aichat_server.app.database import connect_serving
from aichat_server.app.parts import (
    build_authentication,
    build_notifications,
    open_authenticator,
    open_price_book,
    open_rate_limits,
    open_replicas,
)
from aichat_server.app.plans import open_plan_book
from aichat_server.app.vendors import build_upstream_policy, provider_configs
from aichat_server.billing.service.billing import Payments
from aichat_server.conversations.rpc.chat import ChatServicer
from aichat_server.conversations.rpc.conversations import ConversationServicer
from aichat_server.conversations.service.chat import Chat
from aichat_server.conversations.service.conversations import Conversations
from aichat_server.core.database.database import Database
from aichat_server.generations.service.answers import Answers, Replicas
from aichat_server.generations.service.generations import Generations
from aichat_server.generations.service.leases import RENEWALS_PER_LEASE, Leases
from aichat_server.limits.rpc import CallLimits
from aichat_server.notifications.rpc.servicer import NotificationServicer
from aichat_server.plans.service import PlanBook
from aichat_server.providers.gateway.factory import AIProviderFactory
from aichat_server.providers.service.models import Models
from aichat_server.providers.service.upstream import Upstream
from aichat_server.settings import Settings
from aichat_server.telemetry.observing import Observer
from aichat_server.transport.server import RpcServer, build_server
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
        """Says that it takes no new turns, and then does not; lets running ones finish within the grace, and stores the
        rest as interrupted.
        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.announce_seconds + self.drain_seconds

        async def end_rest() -> None:
            if self.replicas is not None:
                # What is only read here goes on elsewhere.
                self.replicas.mirrors.close()
            # Answers whose callers went away are still being written, and have the same grace.
            await self.generations.drain(max(0.0, deadline - loop.time()))

        await self.server.stop(self.drain_seconds, end_rest, announce=self.announce_seconds)


@asynccontextmanager
async def build(settings: Settings, observer: Observer) -> AsyncGenerator[App, None]:
    """Puts the server together, with `observer` told of its work; closes everything at the end."""
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(connect_serving(settings))
        providers = AIProviderFactory(provider_configs(settings), window_seconds=settings.coalesce_seconds)
        stack.push_async_callback(providers.aclose)
        clock = await stack.enter_async_context(open_clock(opened, observer))
        prices = await stack.enter_async_context(open_price_book(settings, opened, clock, observer))
        catalogue = build_catalogue(settings)
        models = Models(catalogue, providers, prices)
        upstream = Upstream(models, build_upstream_policy(settings, catalogue), observer)
        plans = await stack.enter_async_context(open_plan_book(settings, opened, clock, observer))
        payments = await stack.enter_async_context(open_payments(settings, opened, plans))
        limits = await stack.enter_async_context(open_rate_limits(settings, plans, observer))
        publisher, replicas = await stack.enter_async_context(open_replicas(settings, opened.turns, observer))
        generations = Generations(
            opened.turns,
            publisher,
            observer,
            coalesce_seconds=settings.coalesce_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
        )
        leases = _build_leases(settings, opened, generations, replicas)
        cancels = {"cancels": partial(replicas.cancels.listen, generations.cancel)} if replicas is not None else {}
        running_always = running(observer, leases=leases.run, abandoned=generations.abandoned.run, **cancels)
        await stack.enter_async_context(running_always)
        answers = Answers(opened.turns, generations, replicas)
        authenticator = await stack.enter_async_context(open_authenticator(settings, opened, clock, observer))
        chat = Chat(models, upstream, opened.turns, generations, limits, answers, plans, observer)
        servicers = (
            ChatServicer(chat, answers),
            ConversationServicer(Conversations(opened)),
            NotificationServicer(build_notifications(settings, opened)),
            UsageServicer(UsageReports(opened)),
            _billing_servicer(settings, opened, plans, payments),
        )
        # The limits are those of the caller, who must be known by then.
        steps = (build_authentication(settings, authenticator).authenticate, CallLimits(limits).check)
        server = build_server(servicers, steps, observer, reflect=settings.environment == "development")
        yield App(server, generations, replicas, settings.announce_seconds, settings.drain_seconds)


def _build_leases(
    settings: Settings, database: Database, generations: Generations, replicas: Replicas | None
) -> Leases:
    # What an answer may cost is held for it for no longer than this, either.
    interval, most = settings.lease_seconds / RENEWALS_PER_LEASE, settings.hold_seconds
    spare = replicas.spare if replicas is not None else None
    return Leases(database.turns, generations, spare, interval_seconds=interval, spare_seconds=most)


def _billing_servicer(
    settings: Settings, database: Database, plans: PlanBook, payments: Payments | None
) -> BillingServicer:
    return BillingServicer(
        build_billing(settings, database, plans, payments),
        build_inbox(settings, database),
        build_proofs(database, payments),
    )
