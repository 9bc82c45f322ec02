"""Every setting of the server: read once, from the environment and `.env`, checked as a whole, and passed in."""

from __future__ import annotations

from decimal import Decimal
from email.policy import SMTP
from typing import Annotated, Literal, Self

from pydantic import (
    AnyUrl,
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    PostgresDsn,
    RedisDsn,
    SecretStr,
    UrlConstraints,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from aichat_server.domain.origins import origin_of

DEFAULT_MODELS = (
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-haiku-5-5",
    "gpt-6.1-sol",
    "gpt-6.1-terra",
    "gpt-6-luna",
    "gemini-4-argon",
    "gemini-3.8-flash",
    "gemini-3.5-flash-lite",
)

MAX_PORT = 65535

CommaSeparated = Annotated[tuple[str, ...], NoDecode]
SmtpUrl = Annotated[AnyUrl, UrlConstraints(allowed_schemes=["smtp", "smtps"], host_required=True)]


class SettingsError(Exception):
    """The environment does not make a configuration; the message names everything that is wrong with it."""


class CompatibleModel(BaseModel):
    """A model of an OpenAI-compatible endpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """The id that the endpoint knows; users name it as `<endpoint>/<id>`."""
    context_window: int = Field(default=0, ge=0)
    max_output_tokens: int = Field(default=8192, ge=1)
    input_usd_per_mtok: Decimal = Field(ge=0)
    output_usd_per_mtok: Decimal = Field(ge=0)
    cached_input_usd_per_mtok: Decimal | None = Field(default=None, ge=0)
    """None: as other input."""
    search_usd: Decimal = Field(default=Decimal(0), ge=0)
    """For one search that the endpoint makes; 0: those that it tells of are not charged for."""
    reasoning: bool = False


class CompatibleEndpoint(BaseModel):
    """A vendor that speaks OpenAI's Chat Completions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern="^[a-z][a-z0-9-]*$")
    base_url: str
    api_key: SecretStr
    models: tuple[CompatibleModel, ...] = Field(min_length=1)


class Settings(BaseSettings):
    """The server's settings; `.env.example` says what each one means."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_file=".env", env_ignore_empty=True, hide_input_in_errors=True
    )

    database_url: Annotated[PostgresDsn, Field(alias="DATABASE_URL", repr=False)]
    migration_database_url: Annotated[PostgresDsn | None, Field(alias="AICHAT_MIGRATION_DATABASE_URL", repr=False)] = (
        None
    )
    database_pool_size: Annotated[int, Field(alias="AICHAT_DATABASE_POOL_SIZE", ge=2)] = 10
    database_prepared_statements: Annotated[bool, Field(alias="AICHAT_DATABASE_PREPARED_STATEMENTS")] = True

    redis_url: Annotated[RedisDsn | None, Field(alias="REDIS_URL", repr=False)] = None
    journal_retention_seconds: Annotated[float, Field(alias="AICHAT_JOURNAL_RETENTION_SECONDS", gt=0)] = 600.0

    anthropic_api_key: Annotated[SecretStr | None, Field(alias="ANTHROPIC_API_KEY")] = None
    anthropic_base_url: Annotated[str | None, Field(alias="ANTHROPIC_BASE_URL")] = None
    openai_api_key: Annotated[SecretStr | None, Field(alias="OPENAI_API_KEY")] = None
    openai_base_url: Annotated[str | None, Field(alias="OPENAI_BASE_URL")] = None
    gemini_api_key: Annotated[SecretStr | None, Field(alias="GEMINI_API_KEY")] = None
    gemini_base_url: Annotated[str | None, Field(alias="GOOGLE_GEMINI_BASE_URL")] = None
    openai_compatible: Annotated[tuple[CompatibleEndpoint, ...], Field(alias="AICHAT_OPENAI_COMPATIBLE")] = ()
    models: Annotated[CommaSeparated, Field(alias="AICHAT_MODELS", min_length=1)] = DEFAULT_MODELS
    provider_stall_seconds: Annotated[float, Field(alias="AICHAT_PROVIDER_STALL_SECONDS", gt=0)] = 60.0
    provider_reasoning_stall_seconds: Annotated[float, Field(alias="AICHAT_PROVIDER_REASONING_STALL_SECONDS", gt=0)] = (
        600.0
    )
    provider_retries: Annotated[int, Field(alias="AICHAT_PROVIDER_RETRIES", ge=0, le=10)] = 2
    provider_connections: Annotated[int, Field(alias="AICHAT_PROVIDER_CONNECTIONS", ge=1)] = 1000
    provider_circuit_failures: Annotated[int, Field(alias="AICHAT_PROVIDER_CIRCUIT_FAILURES", ge=1)] = 10
    provider_circuit_seconds: Annotated[float, Field(alias="AICHAT_PROVIDER_CIRCUIT_SECONDS", gt=0)] = 30.0
    fallbacks: Annotated[dict[str, str], NoDecode, Field(alias="AICHAT_FALLBACKS")] = {}

    price_refresh_seconds: Annotated[float, Field(alias="AICHAT_PRICE_REFRESH_SECONDS", gt=0)] = 60.0
    hold_seconds: Annotated[float, Field(alias="AICHAT_HOLD_SECONDS", gt=0)] = 300.0
    quota_fail_closed: Annotated[bool, Field(alias="AICHAT_QUOTA_FAIL_CLOSED")] = False

    stripe_secret_key: Annotated[SecretStr | None, Field(alias="STRIPE_SECRET_KEY")] = None
    stripe_webhook_secret: Annotated[SecretStr | None, Field(alias="STRIPE_WEBHOOK_SECRET")] = None
    stripe_base_url: Annotated[str | None, Field(alias="AICHAT_STRIPE_BASE_URL")] = None
    return_origins: Annotated[CommaSeparated, Field(alias="AICHAT_RETURN_ORIGINS")] = ()
    billing_grace_days: Annotated[int, Field(alias="AICHAT_BILLING_GRACE_DAYS", ge=0, le=365)] = 7

    supabase_url: Annotated[str | None, Field(alias="SUPABASE_URL")] = None
    supabase_jwt_secret: Annotated[SecretStr | None, Field(alias="SUPABASE_JWT_SECRET", min_length=32)] = None
    jwt_audience: Annotated[str, Field(alias="AICHAT_JWT_AUDIENCE")] = "authenticated"
    auth_cookie: Annotated[str, Field(alias="AICHAT_AUTH_COOKIE")] = "sb-access-token"
    allow_anonymous: Annotated[bool, Field(alias="AICHAT_ALLOW_ANONYMOUS")] = False
    auth_cache_seconds: Annotated[float, Field(alias="AICHAT_AUTH_CACHE_SECONDS", ge=0)] = 10.0
    cors_origins: Annotated[CommaSeparated, Field(alias="CORS_ORIGINS")] = ()

    smtp_url: Annotated[SmtpUrl | None, Field(alias="SMTP_URL", repr=False)] = None
    mail_from: Annotated[str | None, Field(alias="AICHAT_MAIL_FROM")] = None
    mail_secret: Annotated[SecretStr | None, Field(alias="AICHAT_MAIL_SECRET", min_length=32)] = None
    public_url: Annotated[HttpUrl | None, Field(alias="AICHAT_PUBLIC_URL")] = None

    environment: Annotated[Literal["development", "production"], Field(alias="AICHAT_ENVIRONMENT")] = "production"
    listen: Annotated[CommaSeparated, Field(alias="AICHAT_LISTEN", min_length=1)] = ("127.0.0.1:50051",)
    metrics_listen: Annotated[CommaSeparated, Field(alias="AICHAT_METRICS_LISTEN")] = ()
    worker_metrics_listen: Annotated[str | None, Field(alias="AICHAT_WORKER_METRICS_LISTEN")] = None
    otlp_endpoint: Annotated[str | None, Field(alias="OTEL_EXPORTER_OTLP_ENDPOINT", pattern="^https?://[^/]+/?$")] = (
        None
    )
    sentry_dsn: Annotated[SecretStr | None, Field(alias="SENTRY_DSN")] = None
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Field(alias="AICHAT_LOG_LEVEL")] = "info"
    drain_seconds: Annotated[float, Field(alias="AICHAT_DRAIN_SECONDS", ge=0)] = 30.0
    heartbeat_seconds: Annotated[float, Field(alias="AICHAT_HEARTBEAT_SECONDS", gt=0)] = 15.0
    lease_seconds: Annotated[float, Field(alias="AICHAT_LEASE_SECONDS", gt=0)] = 30.0
    coalesce_seconds: Annotated[float, Field(alias="AICHAT_COALESCE_SECONDS", ge=0, le=1)] = 0.05

    @field_validator("return_origins")
    @classmethod
    def _check_origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        if any(origin_of(origin) != origin.lower().rstrip("/") for origin in origins):
            raise ValueError("write each as https://app.example.com")
        return origins

    @property
    def longest_silence(self) -> tuple[float, float]:
        """Seconds of silence after which a vendor has stalled: for models that answer at once, and that reason first.

        Who sets the first setting alone means all models.
        """
        alone = {"provider_stall_seconds", "provider_reasoning_stall_seconds"} & self.model_fields_set == {
            "provider_stall_seconds"
        }
        stall = self.provider_stall_seconds
        return stall, stall if alone else self.provider_reasoning_stall_seconds

    @field_validator("models", "cors_origins", "return_origins", "listen", "metrics_listen", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(word.strip() for word in value.split(",") if word.strip())
        return value

    @field_validator("fallbacks", mode="before")
    @classmethod
    def _pairs(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [[name.strip() for name in pair.split("=")] for pair in value.split(",") if pair.strip()]
        if not all(len(pair) == 2 and all(pair) for pair in pairs):
            raise ValueError("write each as model=fallback, with commas between them")
        if len({model for model, _ in pairs}) < len(pairs):
            raise ValueError("a model has one fallback")
        return dict(pairs)

    @field_validator("mail_from")
    @classmethod
    def _one_sender(cls, value: str | None) -> str | None:
        if value is not None and not _is_sender(value):
            raise ValueError("write it as `name@example.com` or `Name <name@example.com>`")
        return value

    @model_validator(mode="after")
    def _check_mail(self) -> Self:
        needed = {
            "AICHAT_MAIL_FROM": self.mail_from,
            "AICHAT_MAIL_SECRET": self.mail_secret,
            "AICHAT_PUBLIC_URL": self.public_url,
        }
        missing = [name for name, value in needed.items() if value is None]
        if self.smtp_url is not None and missing:
            raise ValueError(f"SMTP_URL needs {', '.join(missing)}, too")
        return self

    @field_validator("metrics_listen")
    @classmethod
    def _check_addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(_is_address, addresses)):
            raise ValueError("write each as host:port, for example 127.0.0.1:9464")
        return addresses

    @field_validator("worker_metrics_listen")
    @classmethod
    def _check_address(cls, address: str | None) -> str | None:
        if address is not None and not _is_address(address):
            raise ValueError("write it as host:port, for example 127.0.0.1:9465")
        return address

    @model_validator(mode="after")
    def _check_metrics(self) -> Self:
        if self.metrics_listen and len(self.metrics_listen) != len(self.listen):
            raise ValueError("AICHAT_METRICS_LISTEN needs an address for each one of AICHAT_LISTEN")
        return self

    @model_validator(mode="after")
    def _check_sign_in(self) -> Self:
        if self.supabase_jwt_secret is not None and self.supabase_url is None:
            raise ValueError("SUPABASE_JWT_SECRET needs SUPABASE_URL, which names the issuer of the tokens")
        return self


def _is_address(value: str) -> bool:
    host, _, port = value.rpartition(":")
    return bool(host) and port.isdecimal() and int(port) <= MAX_PORT


def _is_sender(value: str) -> bool:
    header = SMTP.header_factory("from", value)
    return len(header.addresses) == 1 and not header.defects and bool(header.addresses[0].domain)


def load_settings() -> Settings:
    """The settings of this process; SettingsError names every missing or malformed one, and shows no value."""
    try:
        return Settings()
    except ValidationError as error:
        lines = [f"  {_name(detail['loc'])}{detail['msg']}" for detail in error.errors(include_input=False)]
        summary = "these settings are missing or malformed (.env.example says what each one means):"
        raise SettingsError("\n".join([summary, *lines])) from None


def _name(location: tuple[int | str, ...]) -> str:
    return ".".join(str(step) for step in location) + ": " if location else ""
