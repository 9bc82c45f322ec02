"""The whole platform on one machine: boots it, and stops it."""

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
from .standins import STRIPE, mail_settings, played, send_webhooks, settings_for, start_mail, start_stand_in
from .stripe.webhooks import SECRET
from .supervisor import Child, Supervisor, together
from .workers import load_workers, start_workers

ORGANIZATION = "development"
# What processes need of the world around them. Settings come by `Options` alone.
_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE", "HTTPS_PROXY", "NO_PROXY")

_DEVELOPMENT = {"AICHAT_ENVIRONMENT": "development"}

Progress = Callable[[str], None]
"""Is told of each part as it is ready."""


@dataclass(frozen=True, slots=True)
class Options:
    """What to boot."""

    folder: Path
    """Keeps data, logs and the development key."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Settings of the server and the edge, but for those that say where the sandbox's own parts are. A vendor whose
    key is among them is real."""
    server_processes: int = 1


@dataclass(frozen=True, slots=True)
class Platform:
    """A platform that takes calls."""

    key: MintedKey = field(repr=False)
    """The development organisation's."""
    is_new: bool
    """Whether its data begin with this run."""
    envoy: Envoy
    upstreams: tuple[str, ...]
    """Where the server's processes listen."""
    database_url: str = field(repr=False)
    """For the superuser, who sees every tenant's rows."""
    redis_url: str
    vendors_url: str
    """The vendors' stand-in."""
    auth_url: str
    """The stand-in for Supabase Auth, which the server believes unless its settings name another."""
    stripe_url: str
    """The stand-in for Stripe."""
    mail_folder: Path | None
    """Where the mail server's stand-in keeps e-mails; None: a real one sends them."""
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
        """Waits for a process to end by itself, and raises ChildFailedError."""
        await self.supervisor.watch()


@asynccontextmanager
async def run_platform(options: Options, progress: Progress = lambda _: None) -> AsyncGenerator[Platform, None]:
    """Boots the platform, which takes calls within the context, and stops everything at its end.

    ChildFailedError or PostgresFailedError if a part does not start.
    """
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    supervisor = Supervisor(options.folder / "logs")
    for part in ("logs", "redis", "standins", "mail", "envoy"):
        (options.folder / part).mkdir(parents=True, exist_ok=True)
    async with AsyncExitStack() as databases, supervisor:
        yield await _Boot(options, inherited, supervisor, databases, progress).run()


@dataclass(frozen=True, slots=True)
class _Database:
    """Where Postgres is."""

    superuser_url: str
    settings: Mapping[str, str]
    """Those of the server that name it."""


@dataclass(frozen=True, slots=True)
class _Boot:
    """One boot. What waits for nothing else starts together."""

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
            vendors = group.create_task(self._stand_in("vendors", "Claude, OpenAI and Gemini, played by a stand-in"))
            auth = group.create_task(self._stand_in("auth", "Supabase Auth, played by a stand-in"))
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
        return await self._stand_in("stripe", "Stripe, played by a stand-in", "--state", state)

    async def _mail(self) -> str:
        url = await start_mail(self.supervisor, self.options.folder / "mail", self.inherited)
        self.progress("A mail server, played by a stand-in")
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
        # Not beside the server: they begin with a run of every job, which would hold up its start.
        await start_workers(self.supervisor, loaded, settings)
        self.progress("Workers")

    async def _key(self, server: Server, *, is_new: bool) -> MintedKey:
        kept = self.options.folder / "key.json"
        if is_new or not kept.exists():
            kept.unlink(missing_ok=True)
            # The organisation whose key is lost keeps its name.
            minted = await server.mint_key(ORGANIZATION if is_new else f"{ORGANIZATION} {secrets.token_hex(4)}")
            kept.touch(mode=0o600)
            kept.write_text(json.dumps(minted))
        key: MintedKey = json.loads(kept.read_text())
        return key

    def _mail_settings(self, smtp_url: str, envoy: Envoy) -> dict[str, str]:
        given = self.options.environment.get("SMTP_URL")
        return {} if given else mail_settings(smtp_url, f"http://{envoy.address}")

    def _outside(self, vendors_url: str, auth_url: str, stripe_url: str) -> dict[str, str]:
        """The settings that say where the outside world is, as far as it is played."""
        given = self.options.environment
        settings = {} if given.get("SUPABASE_URL") else {"SUPABASE_URL": auth_url}
        services = played(given)
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
            **self.options.environment,
            **outside,
            **databases,
            "REDIS_URL": redis_url,
            "AICHAT_LISTEN": ",".join(upstreams),
        }
