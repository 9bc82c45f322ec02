"""Every setting of the server: read once from the environment and `.env`, checked together, and passed in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from typing import Annotated, Literal, NamedTuple

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    HttpUrl,
    PostgresDsn,
    RedisDsn,
    SecretStr,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, SettingsConfigDict

from aichat_server.core.origins import origin_of
from aichat_server.settings_values import (
    Address,
    Addresses,
    BaseUrl,
    CommaSeparated,
    Dollars,
    FilesUrl,
    Json,
    Key,
    Origins,
    Sender,
    SentryDsn,
    SmtpUrl,
)

RESCUE_RUN_SECONDS = 120.0
"""Two runs of the job that ends lost answers: a lease may expire in the middle of the first."""

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
    "text-embedding-3-small",
    "text-embedding-3-large",
    "gemini-embedding-001",
    "gemini-embedding-2",
)


class Fault(NamedTuple):
    """A conflict between settings."""

    settings: tuple[str, ...]
    """The settings in conflict."""
    words: str


class SettingsError(Exception):
    """The environment has missing or invalid settings; the message names each of them."""


class CompatibleModel(BaseModel):
    """A model of an OpenAI-compatible endpoint."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    """The endpoint's own id; users name it as `<endpoint>/<id>`."""
    context_window: int = Field(default=0, ge=0)
    max_output_tokens: int = Field(default=8192, ge=1)
    input_usd_per_mtok: Decimal = Field(ge=0)
    output_usd_per_mtok: Decimal = Field(ge=0)
    cached_input_usd_per_mtok: Decimal | None = Field(default=None, ge=0)
    """None: the same price as other input."""
    search_usd: Decimal = Field(default=Decimal(0), ge=0)
    """For one search that the endpoint makes; 0: its searches are not charged."""
    reasoning: bool = False
    tools: bool = False
    images: bool = False
    documents: bool = False
    audio: bool = False
    response_format: bool = False
    embedding: bool = False
    """Whether it makes embeddings, and does not chat."""
    dimensions: int = Field(default=0, ge=0, le=65_536)
    """The length of an embedding model's vectors; 0: unknown."""
    custom_dimensions: bool = False
    """Whether calls may ask an embedding model for another length."""


class CompatibleEndpoint(BaseModel):
    """A vendor that speaks OpenAI's Chat Completions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern="^[a-z][a-z0-9-]*$")
    base_url: BaseUrl
    api_key: Key
    models: tuple[CompatibleModel, ...] = Field(min_length=1)


class Settings(BaseSettings):
    """The server's settings; `.env.example` explains each one."""

    model_config = SettingsConfigDict(
        frozen=True,
        extra="ignore",
        env_file=".env",
        env_ignore_empty=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
        # JSON values are decoded by their fields' validators, so that a mistake is reported like any other.
        enable_decoding=False,
    )

    database_url: Annotated[PostgresDsn, Field(alias="DATABASE_URL", repr=False)]
    migration_database_url: Annotated[PostgresDsn | None, Field(alias="AICHAT_MIGRATION_DATABASE_URL", repr=False)] = (
        None
    )
    database_pool_size: Annotated[int, Field(alias="AICHAT_DATABASE_POOL_SIZE", ge=2)] = 10
    database_prepared_statements: Annotated[bool, Field(alias="AICHAT_DATABASE_PREPARED_STATEMENTS")] = True

    redis_url: Annotated[RedisDsn | None, Field(alias="REDIS_URL", repr=False)] = None
    journal_retention_seconds: Annotated[float, Field(alias="AICHAT_JOURNAL_RETENTION_SECONDS", gt=0)] = 600.0
    rescue_seconds: Annotated[float, Field(alias="AICHAT_RESCUE_SECONDS", gt=0)] = 3600.0

    reattach_seconds: Annotated[float, Field(alias="AICHAT_REATTACH_SECONDS", ge=0, le=300)] = 10.0
    cancel_abandoned: Annotated[bool, Field(alias="AICHAT_CANCEL_ABANDONED")] = True

    files_url: Annotated[FilesUrl | None, Field(alias="AICHAT_FILES_URL")] = None
    aws_access_key_id: Annotated[Key | None, Field(alias="AWS_ACCESS_KEY_ID")] = None
    aws_secret_access_key: Annotated[Key | None, Field(alias="AWS_SECRET_ACCESS_KEY")] = None
    aws_endpoint_url: Annotated[BaseUrl | None, Field(alias="AWS_ENDPOINT_URL")] = None
    aws_region: Annotated[str | None, Field(alias="AWS_REGION")] = None

    anthropic_api_key: Annotated[Key | None, Field(alias="ANTHROPIC_API_KEY")] = None
    anthropic_base_url: Annotated[BaseUrl | None, Field(alias="ANTHROPIC_BASE_URL")] = None
    openai_api_key: Annotated[Key | None, Field(alias="OPENAI_API_KEY")] = None
    openai_base_url: Annotated[BaseUrl | None, Field(alias="OPENAI_BASE_URL")] = None
    openai_api: Annotated[Literal["responses", "chat_completions"] | None, Field(alias="AICHAT_OPENAI_API")] = None
    gemini_api_key: Annotated[Key | None, Field(alias="GEMINI_API_KEY")] = None
    gemini_base_url: Annotated[BaseUrl | None, Field(alias="GOOGLE_GEMINI_BASE_URL")] = None
    openai_compatible: Annotated[tuple[CompatibleEndpoint, ...], Field(alias="AICHAT_OPENAI_COMPATIBLE"), Json] = ()
    models: Annotated[CommaSeparated, Field(alias="AICHAT_MODELS", min_length=1)] = DEFAULT_MODELS
    provider_stall_seconds: Annotated[float, Field(alias="AICHAT_PROVIDER_STALL_SECONDS", gt=0)] = 60.0
    provider_reasoning_stall_seconds: Annotated[float, Field(alias="AICHAT_PROVIDER_REASONING_STALL_SECONDS", gt=0)] = (
        600.0
    )
    provider_retries: Annotated[int, Field(alias="AICHAT_PROVIDER_RETRIES", ge=0, le=10)] = 2
    provider_connections: Annotated[int, Field(alias="AICHAT_PROVIDER_CONNECTIONS", ge=1)] = 1000
    provider_circuit_failures: Annotated[int, Field(alias="AICHAT_PROVIDER_CIRCUIT_FAILURES", ge=1)] = 10
    provider_circuit_seconds: Annotated[float, Field(alias="AICHAT_PROVIDER_CIRCUIT_SECONDS", gt=0)] = 30.0
    unpriced_features: Annotated[CommaSeparated, Field(alias="AICHAT_UNPRICED_FEATURES")] = ()
    fallbacks: Annotated[dict[str, str], Field(alias="AICHAT_FALLBACKS")] = {}

    price_refresh_seconds: Annotated[float, Field(alias="AICHAT_PRICE_REFRESH_SECONDS", gt=0)] = 60.0
    hold_seconds: Annotated[float, Field(alias="AICHAT_HOLD_SECONDS", gt=0)] = 300.0
    quota_fail_closed: Annotated[bool, Field(alias="AICHAT_QUOTA_FAIL_CLOSED")] = False

    stripe_secret_key: Annotated[Key | None, Field(alias="STRIPE_SECRET_KEY")] = None
    stripe_webhook_secret: Annotated[Key | None, Field(alias="STRIPE_WEBHOOK_SECRET")] = None
    stripe_base_url: Annotated[BaseUrl | None, Field(alias="AICHAT_STRIPE_BASE_URL")] = None
    return_origins: Annotated[CommaSeparated, Field(alias="AICHAT_RETURN_ORIGINS")] = ()
    overage_cap_usd: Annotated[Dollars, Field(alias="AICHAT_OVERAGE_CAP_USD")] = Decimal(500)
    free_cap_usd: Annotated[Dollars, Field(alias="AICHAT_FREE_CAP_USD")] = Decimal(1000)
    billing_grace_days: Annotated[int, Field(alias="AICHAT_BILLING_GRACE_DAYS", ge=0, le=365)] = 7

    supabase_url: Annotated[BaseUrl | None, Field(alias="SUPABASE_URL")] = None
    supabase_jwt_secret: Annotated[SecretStr | None, Field(alias="SUPABASE_JWT_SECRET", min_length=32)] = None
    jwt_audience: Annotated[str, Field(alias="AICHAT_JWT_AUDIENCE")] = "authenticated"
    auth_cookie: Annotated[str, Field(alias="AICHAT_AUTH_COOKIE")] = "sb-access-token"
    allow_anonymous: Annotated[bool, Field(alias="AICHAT_ALLOW_ANONYMOUS")] = False
    auth_cache_seconds: Annotated[float, Field(alias="AICHAT_AUTH_CACHE_SECONDS", ge=0)] = 10.0
    cors_origins: Annotated[Origins, Field(alias="CORS_ORIGINS")] = ()

    smtp_url: Annotated[SmtpUrl | None, Field(alias="SMTP_URL", repr=False)] = None
    mail_from: Annotated[Sender | None, Field(alias="AICHAT_MAIL_FROM")] = None
    mail_secret: Annotated[SecretStr | None, Field(alias="AICHAT_MAIL_SECRET", min_length=32)] = None
    public_url: Annotated[HttpUrl | None, Field(alias="AICHAT_PUBLIC_URL")] = None

    environment: Annotated[Literal["development", "production"], Field(alias="AICHAT_ENVIRONMENT")] = "production"
    listen: Annotated[Addresses, Field(alias="AICHAT_LISTEN", min_length=1)] = ("127.0.0.1:50051",)
    metrics_listen: Annotated[Addresses, Field(alias="AICHAT_METRICS_LISTEN")] = ()
    worker_metrics_listen: Annotated[Address | None, Field(alias="AICHAT_WORKER_METRICS_LISTEN")] = None
    otlp_endpoint: Annotated[
        BaseUrl | None, Field(alias="OTEL_EXPORTER_OTLP_ENDPOINT", pattern="^https?://[^/]+/?$")
    ] = None
    sentry_dsn: Annotated[SentryDsn | None, Field(alias="SENTRY_DSN")] = None
    log_level: Annotated[Literal["debug", "info", "warning", "error"], Field(alias="AICHAT_LOG_LEVEL")] = "info"
    announce_seconds: Annotated[float, Field(alias="AICHAT_ANNOUNCE_SECONDS", ge=0)] = 7.0
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
        """Seconds of silence after which a vendor counts as stalled: for models that answer at once, and for reasoning
        ones.

        If only the first setting is set, it applies to all models.
        """
        alone = {"provider_stall_seconds", "provider_reasoning_stall_seconds"} & self.model_fields_set == {
            "provider_stall_seconds"
        }
        stall = self.provider_stall_seconds
        return stall, stall if alone else self.provider_reasoning_stall_seconds

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


def _faults_between(settings: Settings) -> Iterator[Fault]:
    needed = {
        "AICHAT_MAIL_FROM": settings.mail_from,
        "AICHAT_MAIL_SECRET": settings.mail_secret,
        "AICHAT_PUBLIC_URL": settings.public_url,
    }
    missing = tuple(name for name, value in needed.items() if value is None)
    if settings.smtp_url is not None and missing:
        yield Fault(("SMTP_URL", *missing), f"SMTP_URL needs {', '.join(missing)} as well")
    if settings.metrics_listen and len(settings.metrics_listen) != len(settings.listen):
        words = "AICHAT_METRICS_LISTEN needs an address for each of AICHAT_LISTEN"
        yield Fault(("AICHAT_METRICS_LISTEN", "AICHAT_LISTEN"), words)
    if settings.rescue_seconds < settings.lease_seconds + RESCUE_RUN_SECONDS:
        words = f"AICHAT_RESCUE_SECONDS must be at least {RESCUE_RUN_SECONDS:g} more than AICHAT_LEASE_SECONDS"
        yield Fault(("AICHAT_RESCUE_SECONDS", "AICHAT_LEASE_SECONDS"), words)
    if settings.supabase_jwt_secret is not None and settings.supabase_url is None:
        words = "SUPABASE_JWT_SECRET needs SUPABASE_URL, which names the issuer of the tokens"
        yield Fault(("SUPABASE_JWT_SECRET", "SUPABASE_URL"), words)


def load_settings(check: Callable[[Settings], Iterable[Fault]] = lambda _: ()) -> Settings:
    """Returns this process's settings; raises SettingsError, naming every missing or malformed one without its value.

    `check` finds further conflicts between them.
    """
    lines, malformed = list[str](), set[str]()
    try:
        settings = Settings()
    except ValidationError as error:
        for detail in error.errors(include_input=False):
            malformed.add(str(detail["loc"][0]))
            lines.append(f"{'.'.join(map(str, detail['loc']))}: {detail['msg']}")
        settings = _with_defaults(malformed)
    except UnicodeDecodeError:
        raise SettingsError(".env: this is not text in UTF-8") from None
    between = [*_faults_between(settings), *check(settings)]
    lines += [fault.words for fault in between if malformed.isdisjoint(fault.settings)]
    if lines:
        summary = "these settings are missing or malformed (.env.example explains each one):"
        raise SettingsError("\n  ".join([summary, *lines]))
    return settings


def _with_defaults(malformed: set[str]) -> Settings:
    """Returns the settings with defaults for these, so that conflicts between the others can be reported, too."""
    defaults = {
        field.alias: field.get_default() for field in Settings.model_fields.values() if field.alias in malformed
    }
    if "DATABASE_URL" in malformed:
        defaults["DATABASE_URL"] = "postgresql://unknown"
    return Settings(**{str(alias): value for alias, value in defaults.items()})
