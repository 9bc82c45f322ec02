"""Starts and stops the whole platform on one machine."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

from .envoy import Envoy, start_envoy
from .owner import make_owner
from .ports import HOST, free_ports
from .postgres import run_postgres
from .redis import start_redis
from .server import MintedKey, Server, load_server
from .standins import STRIPE, mail_settings, send_webhooks, settings_for, start_mail, start_stand_in, without_key
from .stripe.webhooks import SECRET
from .supervisor import Child, Supervisor, together
from .workers import load_workers, start_workers

ORGANIZATION = "development"
# The variables that processes inherit. Settings come only from `Options`.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "HTTPS_PROXY", "NO_PROXY")

_DEVELOPMENT = {"AICHAT_ENVIRONMENT": "development"}

Progress = Callable[[str], None]
"""Called with each part's name when the part is ready."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to start."""

    folder: Path
    """The folder for data, logs and the development key."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Settings of the server and the edge, except for the addresses of the sandbox's own parts.

    A vendor whose key is among them is real.
    """
    server_processes: int = 1


@dataclass(frozen=True, slots=True)
class Platform:
    """A running platform."""

    key: MintedKey = field(repr=False)
    """The API key of the development organisation."""
    is_new: bool
    """Whether this run created its data."""
    envoy: Envoy
    upstreams: tuple[str, ...]
    """The addresses of the server's processes."""
    database_url: str = field(repr=False)
    """The superuser's URL, which sees the rows of every tenant."""
    redis_url: str
    vendors_url: str
    """The URL of the vendors' stand-in."""
    auth_url: str
    """The URL of the stand-in for Supabase Auth; the server trusts it unless its settings name another service."""
    stripe_url: str
    """The URL of the stand-in for Stripe."""
    mail_folder: Path | None
    """The folder where the mail server's stand-in stores e-mails; None: a real server sends them."""
    server: Server
    supervisor: Supervisor

    @property
    def grpc(self) -> str:
        """The address for native gRPC, "host:port"."""
        return self.envoy.address

    @property
    def http(self) -> str:
        """The base URL for JSON and gRPC-Web."""
        return f"http://{self.envoy.address}"

    async def watch(self) -> NoReturn:
        """Waits until a process ends unexpectedly, and raises ChildFailedError."""
        await self.supervisor.watch()


@asynccontextmanager
async def run_platform(options: Options, progress: Progress = lambda _: None) -> AsyncGenerator[Platform, None]:
    """Starts the platform for the length of the context, then stops it.

    Raises ChildFailedError or PostgresFailedError if a part does not start.
    """
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    supervisor = Supervisor(options.folder / "logs")
    for part in ("logs", "redis", "standins", "mail", "envoy"):
        (options.folder / part).mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as databases, supervisor:
        yield await _Boot(options, inherited, supervisor, databases, progress).run()


@dataclass(frozen=True, slots=True)
class _Database:
    """A Postgres, and the settings that name it."""

    superuser_url: str
    settings: Mapping[str, str]
    """The server's database settings."""


@dataclass(frozen=True, slots=True)
class _Boot:
    """One start of the platform. Parts that do not depend on each other start concurrently."""

    options: Options
    inherited: Mapping[str, str]
    supervisor: Supervisor
    databases: AsyncExitStack
    progress: Progress

    async def run(self) -> Platform:
        folder = self.options.folder
        upstreams = tuple(f"{HOST}:{port}" for port in free_ports(self.options.server_processes))
        is_new = not (folder / "postgres" / "data").exists()
        async with together() as group:
            postgres = group.create_task(self._postgres())
            redis = group.create_task(self._redis())
            vendors = group.create_task(self._stand_in("vendors", "Stand-ins for Claude, OpenAI and Gemini"))
            auth = group.create_task(self._stand_in("auth", "Stand-in for Supabase Auth"))
            mail = group.create_task(self._mail())
            stripe = group.create_task(self._stripe())
            envoy = group.create_task(self._envoy(upstreams))
            loaded = group.create_task(self._load())
            workers = group.create_task(load_workers(self.supervisor, folder, self.inherited))
        outside = self._outside(vendors.result(), auth.result(), stripe.result())
        outside |= self._mail_settings(mail.result(), envoy.result())
        settings = self._settings(postgres.result().settings, redis.result(), outside, upstreams)
        server = Server(self.supervisor, folder, settings)
        await server.migrate()
        self.progress("Database schema")
        async with together() as group:
            key = group.create_task(self._key(server, is_new=is_new))
            group.create_task(self._serve(server, loaded.result(), envoy.result()))
        await self._work(workers.result(), settings)
        await send_webhooks(stripe.result(), f"http://{envoy.result().address}/v1/stripe/webhook")
        return Platform(
            key=key.result(),
            is_new=is_new,
            envoy=envoy.result(),
            upstreams=upstreams,
            database_url=postgres.result().superuser_url,
            redis_url=redis.result(),
            vendors_url=vendors.result(),
            auth_url=auth.result(),
            stripe_url=stripe.result(),
            mail_folder=None if self.options.environment.get("SMTP_URL") else folder / "mail",
            server=server,
            supervisor=self.supervisor,
        )

    async def _postgres(self) -> _Database:
        postgres = await self.databases.enter_async_context(run_postgres(self.options.folder / "postgres"))
        self.supervisor.adopt("postgres", postgres.process, postgres.log)
        owner_url = await make_owner(self.supervisor, postgres, self.inherited)
        self.progress("Postgres")
        settings = {"DATABASE_URL": postgres.app_url, "AICHAT_MIGRATION_DATABASE_URL": owner_url}
        return _Database(postgres.owner_url, settings)

    async def _redis(self) -> str:
        url = await start_redis(self.supervisor, self.options.folder / "redis", self.inherited)
        self.progress("Redis")
        return url

    async def _stand_in(self, name: str, what: str, *arguments: str | Path) -> str:
        folder = self.options.folder / "standins"
        url = await start_stand_in(self.supervisor, name, folder, self.inherited, *arguments)
        self.progress(what)
        return url

    async def _stripe(self) -> str:
        state = self.options.folder / "standins" / "stripe.json"
        return await self._stand_in("stripe", "Stand-in for Stripe", "--state", state)

    async def _mail(self) -> str:
        url = await start_mail(self.supervisor, self.options.folder / "mail", self.inherited)
        self.progress("Stand-in for a mail server")
        return url

    async def _envoy(self, upstreams: tuple[str, ...]) -> Envoy:
        environment = {**self.inherited, **_DEVELOPMENT, **self.options.environment}
        envoy = await start_envoy(self.supervisor, self.options.folder / "envoy", environment, upstreams)
        self.progress("Envoy")
        return envoy

    async def _load(self) -> Child:
        return await load_server(self.supervisor, self.options.folder, self.inherited, self.options.server_processes)

    async def _serve(self, server: Server, loaded: Child, envoy: Envoy) -> None:
        await server.serve(loaded, envoy, self.options.server_processes)
        self.progress("Server")

    async def _work(self, loaded: Child, settings: Mapping[str, str]) -> None:
        # Not together with the server: they begin with a run of every job, which would delay its start.
        await start_workers(self.supervisor, loaded, settings)
        self.progress("Workers")

    async def _key(self, server: Server, *, is_new: bool) -> MintedKey:
        kept = self.options.folder / "key.json"
        if is_new or not kept.exists():
            kept.unlink(missing_ok=True)
            # If the key is lost, its organisation keeps the name, so the new one gets another.
            minted = await server.mint_key(ORGANIZATION if is_new else f"{ORGANIZATION} {secrets.token_hex(4)}")
            kept.touch(mode=0o600)
            kept.write_text(json.dumps(minted))
        key: MintedKey = json.loads(kept.read_text())
        return key

    def _mail_settings(self, smtp_url: str, envoy: Envoy) -> dict[str, str]:
        given = self.options.environment.get("SMTP_URL")
        return {} if given else mail_settings(smtp_url, f"http://{envoy.address}")

    def _outside(self, vendors_url: str, auth_url: str, stripe_url: str) -> dict[str, str]:
        """Returns the settings that name the stand-ins."""
        given = self.options.environment
        settings = {} if given.get("SUPABASE_URL") else {"SUPABASE_URL": auth_url}
        services = without_key(given)
        settings |= settings_for([service for service in services if service is not STRIPE], vendors_url)
        if STRIPE in services:
            settings |= settings_for([STRIPE], stripe_url) | {"STRIPE_WEBHOOK_SECRET": SECRET}
        return settings

    def _settings(
        self, databases: Mapping[str, str], redis_url: str, outside: Mapping[str, str], upstreams: tuple[str, ...]
    ) -> dict[str, str]:
        return {
            **self.inherited,
            **_DEVELOPMENT,
            "AICHAT_ANNOUNCE_SECONDS": "0.5",
            "AICHAT_DRAIN_SECONDS": "5",
            "AICHAT_FILES_URL": (self.options.folder / "files").absolute().as_uri(),
            **self.options.environment,
            **outside,
            **databases,
            "REDIS_URL": redis_url,
            "AICHAT_LISTEN": ",".join(upstreams),
        }
