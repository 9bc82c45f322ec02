"""The engine: everything that a client of generations needs, built once for all of them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aichat_server.app.catalogue import build_catalogue
from aichat_server.app.clock import open_clock
from aichat_server.app.database import connect_serving
from aichat_server.app.generations import Running, open_generations
from aichat_server.app.parts import open_price_book, open_rate_limits
from aichat_server.app.plans import open_plan_book
from aichat_server.app.stores import Stores, build_stores, hold_terms
from aichat_server.app.vendors import build_upstream_policy, provider_configs
from aichat_server.core.clock import Clock
from aichat_server.core.database.database import Database
from aichat_server.generations.service.model_choice import ModelChoice
from aichat_server.limits.service import RateLimits
from aichat_server.plans.service import PlanBook
from aichat_server.providers.gateway.factory import AIProviderFactory
from aichat_server.providers.service.counting import TokenCounter
from aichat_server.providers.service.models import Models
from aichat_server.providers.service.upstream import Upstream
from aichat_server.settings import Settings
from aichat_server.telemetry.observing import Observer


@dataclass(frozen=True, slots=True)
class Engine:
    """A process that can generate. The services for clients use it."""

    database: Database
    clock: Clock
    plans: PlanBook
    limits: RateLimits
    models: ModelChoice
    upstream: Upstream
    counter: TokenCounter
    stores: Stores
    running: Running


@asynccontextmanager
async def open_engine(settings: Settings, observer: Observer) -> AsyncGenerator[Engine, None]:
    """Connects to everything and reports its work to `observer`; closes everything at the end."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(connect_serving(settings))
        providers = AIProviderFactory(provider_configs(settings), window_seconds=settings.coalesce_seconds)
        stack.push_async_callback(providers.aclose)
        clock = await stack.enter_async_context(open_clock(database, observer))
        prices = await stack.enter_async_context(open_price_book(settings, database, clock, observer))
        catalogue = build_catalogue(settings)
        models = Models(catalogue, providers, prices)
        upstream = Upstream(models, build_upstream_policy(settings, catalogue), observer)
        plans = await stack.enter_async_context(open_plan_book(settings, database, clock, observer))
        limits = await stack.enter_async_context(open_rate_limits(settings, plans, observer))
        stores = build_stores(database, hold_terms(settings))
        running = await stack.enter_async_context(open_generations(settings, stores, upstream, limits, observer))
        choice, counter = ModelChoice(models, upstream, plans), TokenCounter(models)
        yield Engine(database, clock, plans, limits, choice, upstream, counter, stores, running)
