"""The parts that the server and the jobs are put together from; each is closed when its context ends."""

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
    """Shared where REDIS_URL names a Redis, which need not be there yet."""
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
    """The prices, read again and again; `clock` says which are in force."""
    book = PriceBook(StoredPrices(database), clock.now)
    await book.refresh()
    async with running(observer, prices=partial(book.keep_fresh, settings.price_refresh_seconds)):
        yield book


@asynccontextmanager
async def open_authenticator(
    settings: Settings, database: Database, clock: Clock, observer: Observer
) -> AsyncGenerator[Authenticator, None]:
    """Tells who calls; `clock` says until when session tokens are good."""
    async with _open_token_verifier(settings, clock, observer) as tokens:
        yield Authenticator(
            database,
            tokens,
            cache_seconds=settings.auth_cache_seconds,
            allow_anonymous=settings.allow_anonymous,
            observer=observer,
        )


def build_authentication(settings: Settings, authenticator: Authenticator) -> Authentication:
    """The step that asks who calls. Supabase's clients name their cookie by the first word of the project's host."""
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
    """None where no SUPABASE_URL names a place to sign in."""
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
    """What members are told by e-mail; without AICHAT_MAIL_SECRET it takes no links."""
    secret = settings.mail_secret
    return Notifications(database, secret.get_secret_value() if secret else None)
