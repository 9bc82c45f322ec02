"""The composition root: the only file that sees every layer."""

from __future__ import annotations

import asyncio
import gc
import signal
import sys
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import NoReturn

import httpx2
import structlog

from aichat_server.catalogue import build_catalogue
from aichat_server.connect import connect_database
from aichat_server.domain.models import Model
from aichat_server.domain.retry import RetryPolicy
from aichat_server.gateways.cancels import Cancels
from aichat_server.gateways.journal import JournalStreams
from aichat_server.gateways.jwks import SigningKeys
from aichat_server.gateways.limits import open_shared_limits
from aichat_server.gateways.logs import configure_logs
from aichat_server.gateways.redis import open_redis
from aichat_server.gateways.tokens import TokenVerifier
from aichat_server.providers.base import ProviderConfig
from aichat_server.providers.factory import AIProviderFactory
from aichat_server.rpc.chat import ChatServicer
from aichat_server.rpc.conversations import ConversationServicer
from aichat_server.rpc.interceptors.authentication import Authentication
from aichat_server.rpc.interceptors.limits import CallLimits
from aichat_server.rpc.server import RpcServer, build_server
from aichat_server.services.answers import Answers, Replicas
from aichat_server.services.chat import Chat
from aichat_server.services.conversations import Conversations
from aichat_server.services.generations import Generations
from aichat_server.services.identity import Authenticator
from aichat_server.services.limits import RateLimits
from aichat_server.services.mirrors import Mirrors
from aichat_server.services.models import Models
from aichat_server.services.prices import PriceBook
from aichat_server.services.publisher import JournalPublisher
from aichat_server.services.upstream import Upstream, UpstreamPolicy
from aichat_server.settings import Settings, SettingsError
from aichat_server.storage.database import Database
from aichat_server.storage.turns import TurnStore

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class App:
    """A server that is ready to listen."""

    server: RpcServer
    generations: Generations
    replicas: Replicas | None
    drain_seconds: float

    async def stop(self) -> None:
        """Takes no new turns, lets running ones finish within the grace, and stores the rest as interrupted."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.drain_seconds
        if self.replicas is not None:
            # What is only read here goes on elsewhere.
            self.replicas.mirrors.close()

        async def end_rest() -> None:
            # Answers whose callers went away are still being written, and have the same grace.
            await self.generations.drain(max(0.0, deadline - loop.time()))

        await self.server.stop(self.drain_seconds, end_rest)


async def serve(settings: Settings, *, until_stdin_ends: bool = False) -> int:
    """Serves on the first address of the settings until SIGTERM or SIGINT, then drains; returns the exit code."""
    configure_logs(settings.log_level)
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    if until_stdin_ends:
        await loop.connect_read_pipe(lambda: _Lifeline(stopping), sys.stdin)
    async with build(settings) as app:
        port = await app.server.start(settings.listen[0])
        # What was made at start-up stays; collections need not go through it again and again.
        gc.collect()
        gc.freeze()
        _log.info("serving", address=settings.listen[0], port=port)
        await stopping.wait()
        _log.info("draining", seconds=settings.drain_seconds)
        await app.stop()
    return 0


class _Lifeline(asyncio.Protocol):
    """Standard input, held open by the process that spawned this one: its end means that this one must end too."""

    def __init__(self, ended: asyncio.Event) -> None:
        self._ended = ended

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 — however it was lost
        self._ended.set()


@asynccontextmanager
async def build(settings: Settings) -> AsyncGenerator[App, None]:
    """Puts the server together; closes everything at the end."""
    async with AsyncExitStack() as stack:
        opened = await stack.enter_async_context(connect_database(settings))
        providers = AIProviderFactory(_provider_configs(settings))
        stack.push_async_callback(providers.aclose)
        prices = await stack.enter_async_context(_price_book(opened, settings.price_refresh_seconds))
        catalogue = build_catalogue(settings)
        models = Models(catalogue, providers, prices)
        upstream = Upstream(models, build_upstream_policy(settings, catalogue))
        limits = await stack.enter_async_context(_rate_limits(settings))
        publisher, replicas = await stack.enter_async_context(_replicas(settings, opened.turns))
        generations = Generations(
            opened.turns,
            publisher,
            coalesce_seconds=settings.coalesce_seconds,
            heartbeat_seconds=settings.heartbeat_seconds,
        )
        if replicas is not None:
            await stack.enter_async_context(_running(replicas.cancels.listen(generations.cancel)))
        answers = Answers(opened.turns, generations, replicas)
        tokens = await stack.enter_async_context(_token_verifier(settings))
        authenticator = Authenticator(opened, tokens, cache_seconds=settings.auth_cache_seconds)
        server = build_server(
            ChatServicer(Chat(models, upstream, opened.turns, generations, limits, answers), answers, models),
            ConversationServicer(Conversations(opened)),
            Authentication(authenticator, cookie=settings.auth_cookie, origins=settings.cors_origins),
            CallLimits(limits),
            reflect=settings.environment == "development",
        )
        yield App(server, generations, replicas, settings.drain_seconds)


@asynccontextmanager
async def _replicas(
    settings: Settings, turns: TurnStore
) -> AsyncGenerator[tuple[JournalPublisher, Replicas] | tuple[None, None], None]:
    """What joins this process to the others; nothing where no REDIS_URL names a place to meet."""
    if settings.redis_url is None:
        yield None, None
        return
    async with open_redis(str(settings.redis_url)) as redis:
        streams = JournalStreams(redis, retention_seconds=settings.journal_retention_seconds)
        publisher = JournalPublisher(streams)
        mirrors = Mirrors(streams, turns, heartbeat_seconds=settings.heartbeat_seconds)
        async with _running(publisher.run(), mirrors.run()):
            yield publisher, Replicas(mirrors, Cancels(redis))
        await publisher.finish()


@asynccontextmanager
async def _running(*works: Coroutine[None, None, NoReturn]) -> AsyncGenerator[None, None]:
    """Lets work run beside all else, and cancels it at the end."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _rate_limits(settings: Settings) -> AsyncGenerator[RateLimits, None]:
    """Shared where REDIS_URL names a Redis, which need not be there yet."""
    async with AsyncExitStack() as stack:
        url = settings.redis_url
        shared = await stack.enter_async_context(open_shared_limits(str(url))) if url else None
        limits = RateLimits(shared)
        await stack.enter_async_context(limits.kept())
        yield limits


@asynccontextmanager
async def _price_book(database: Database, refresh_seconds: float) -> AsyncGenerator[PriceBook, None]:
    """The prices, read again and again."""
    book = PriceBook(database)
    await book.refresh()
    async with _running(book.keep_fresh(refresh_seconds)):
        yield book


@asynccontextmanager
async def _token_verifier(settings: Settings) -> AsyncGenerator[TokenVerifier | None, None]:
    """None where no SUPABASE_URL names a place to sign in."""
    if settings.supabase_url is None:
        yield None
        return
    issuer = f"{settings.supabase_url.rstrip('/')}/auth/v1"
    secret = settings.supabase_jwt_secret
    async with httpx2.AsyncClient() as client:
        yield TokenVerifier(
            SigningKeys(client, f"{issuer}/.well-known/jwks.json"),
            issuer=issuer,
            audience=settings.jwt_audience,
            secret=secret.get_secret_value() if secret else None,
        )


def build_upstream_policy(settings: Settings, catalogue: Mapping[str, Model]) -> UpstreamPolicy:
    """What is done about vendors that misbehave; SettingsError names every fallback that could never answer."""
    vendors = {config.name for config in _provider_configs(settings)}
    wrong = []
    for model, fallback in settings.fallbacks.items():
        wrong += [f"there is no model {name}" for name in (model, fallback) if name not in catalogue]
        if model == fallback:
            wrong.append(f"{model} cannot stand in for itself")
        elif fallback in catalogue and catalogue[fallback].provider not in vendors:
            wrong.append(f"{fallback} needs credentials for {catalogue[fallback].provider}")
    if wrong:
        raise SettingsError(f"AICHAT_FALLBACKS: {'; '.join(wrong)}")
    return UpstreamPolicy(
        retry=RetryPolicy(settings.provider_retries),
        fallbacks=settings.fallbacks,
        circuit_failures=settings.provider_circuit_failures,
        circuit_seconds=settings.provider_circuit_seconds,
        connections=settings.provider_connections,
    )


def _provider_configs(settings: Settings) -> Iterator[ProviderConfig]:
    vendors = (
        ("anthropic", settings.anthropic_api_key, settings.anthropic_base_url),
        ("openai", settings.openai_api_key, settings.openai_base_url),
        ("gemini", settings.gemini_api_key, settings.gemini_base_url),
    )
    stall = settings.provider_stall_seconds
    for name, key, base_url in vendors:
        if key is not None:
            yield ProviderConfig(name, key.get_secret_value(), base_url, stall_seconds=stall)
    for endpoint in settings.openai_compatible:
        key = endpoint.api_key
        yield ProviderConfig(
            endpoint.name, key.get_secret_value(), endpoint.base_url, stall_seconds=stall, openai_compatible=True
        )
