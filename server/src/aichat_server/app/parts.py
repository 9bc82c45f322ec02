"""Builds the parts of the server and of the jobs; each is closed when its context ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

from aichat_server.app.background import running
from aichat_server.app.redis import redis_named
from aichat_server.core.clock import Clock
from aichat_server.core.database.database import Database
from aichat_server.identity.gateway.jwks import FRESH_SECONDS, open_signing_keys
from aichat_server.identity.gateway.tokens import TokenVerifier
from aichat_server.identity.rpc.authentication import Authentication
from aichat_server.identity.service.authenticator import Authenticator
from aichat_server.limits.gateway.shared_limits import open_shared_limits
from aichat_server.limits.service import RateLimits
from aichat_server.models.service import PriceBook, StoredPrices
from aichat_server.notifications.service.notifications import Notifications
from aichat_server.plans.service import PlanBook
from aichat_server.settings import Settings
from aichat_server.telemetry.observing import Observer


@asynccontextmanager
async def open_rate_limits(settings: Settings, plans: PlanBook, observer: Observer) -> AsyncGenerator[RateLimits, None]:
    """Opens rate limits, shared if REDIS_URL names a Redis, which need not be up yet."""
    async with AsyncExitStack() as stack:
        url = settings.redis_url
        with redis_named():
            shared = await stack.enter_async_context(open_shared_limits(str(url))) if url else None
        limits = RateLimits(shared, plans.rates)
        await stack.enter_async_context(running(observer, limits=limits.keep))
        yield limits


@asynccontextmanager
async def open_price_book(
    settings: Settings, database: Database, clock: Clock, observer: Observer
) -> AsyncGenerator[PriceBook, None]:
    """Opens the prices, and reads them at regular intervals; `clock` decides which are in force."""
    book = PriceBook(StoredPrices(database), clock.now)
    await book.refresh()
    async with running(observer, prices=partial(book.keep_fresh, settings.price_refresh_seconds)):
        yield book


@asynccontextmanager
async def open_authenticator(
    settings: Settings, database: Database, clock: Clock, observer: Observer
) -> AsyncGenerator[Authenticator, None]:
    """Opens the authenticator; `clock` decides until when session tokens are valid."""
    async with _open_token_verifier(settings, clock, observer) as tokens:
        yield Authenticator(
            database,
            tokens,
            cache_seconds=settings.auth_cache_seconds,
            allow_anonymous=settings.allow_anonymous,
            observer=observer,
        )


def build_authentication(settings: Settings, authenticator: Authenticator) -> Authentication:
    """Builds the authentication step.

    Supabase's clients name their cookie after the first label of the project's host.
    """
    host = urlsplit(settings.supabase_url or "").hostname
    project = host.partition(".")[0] if host else None
    return Authentication(
        authenticator,
        cookie=settings.auth_cookie,
        origins=settings.cors_origins,
        loopback=settings.environment == "development",
        project=project,
    )


@asynccontextmanager
async def _open_token_verifier(
    settings: Settings, clock: Clock, observer: Observer
) -> AsyncGenerator[TokenVerifier | None, None]:
    """Opens the verifier of session tokens; None without SUPABASE_URL."""
    if settings.supabase_url is None:
        yield None
        return
    issuer = f"{settings.supabase_url.rstrip('/')}/auth/v1"
    secret = settings.supabase_jwt_secret
    async with (
        open_signing_keys(f"{issuer}/.well-known/jwks.json") as keys,
        running(observer, sign_in_keys=partial(keys.keep_fresh, FRESH_SECONDS)),
    ):
        yield TokenVerifier(
            keys,
            issuer=issuer,
            audience=settings.jwt_audience,
            secret=secret.get_secret_value() if secret else None,
            now=clock.now,
        )


def build_notifications(settings: Settings, database: Database) -> Notifications:
    """Builds the members' settings for e-mails; without AICHAT_MAIL_SECRET it refuses all links."""
    secret = settings.mail_secret
    return Notifications(database, secret.get_secret_value() if secret else None)
