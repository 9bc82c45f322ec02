"""The use cases of the jobs, put together for the workers and for nobody else."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from aichat_server.app.billing import open_desk
from aichat_server.app.database import connect_database
from aichat_server.gateways.journal import JournalStreams
from aichat_server.gateways.logs import configure_logs
from aichat_server.gateways.mail import Mailer
from aichat_server.gateways.mail_templates import MailTemplates
from aichat_server.gateways.redis import open_redis
from aichat_server.services.billing import Payments
from aichat_server.services.invoices import Invoices
from aichat_server.services.orphans import Orphans
from aichat_server.services.rollups import Rollups
from aichat_server.services.warning_mails import WarningMails
from aichat_server.services.warnings import QuotaWarnings
from aichat_server.services.webhooks import InvoiceSync, Webhooks
from aichat_server.settings import Settings, load_settings
from aichat_server.storage.database import Database


@dataclass(frozen=True, slots=True)
class Jobs:
    """What there is to do, each by a use case of its own."""

    orphans: Orphans
    warnings: QuotaWarnings | None
    """None where no SMTP_URL names a server to hand e-mails to."""
    rollups: Rollups
    invoices: Invoices


def begin_process() -> Settings:
    """The settings of a worker's process, whose logs are set up by them; SettingsError if they will not do."""
    settings = load_settings()
    configure_logs(settings.log_level)
    return settings


@asynccontextmanager
async def build_jobs(settings: Settings) -> AsyncGenerator[Jobs, None]:
    """Puts the use cases together; closes everything at the end."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(connect_database(settings))
        retention = settings.journal_retention_seconds
        streams = None
        if settings.redis_url is not None:
            redis = await stack.enter_async_context(open_redis(str(settings.redis_url)))
            streams = JournalStreams(redis, retention_seconds=retention)
        desk = await stack.enter_async_context(open_desk(settings, database))
        yield Jobs(
            orphans=Orphans(database, streams, journal_retention_seconds=retention),
            warnings=build_quota_warnings(settings, database),
            rollups=Rollups(database),
            invoices=desk.invoices,
        )


def build_quota_warnings(settings: Settings, database: Database) -> QuotaWarnings | None:
    """None where no SMTP_URL names a server to hand e-mails to."""
    url, sender, secret, public = settings.smtp_url, settings.mail_from, settings.mail_secret, settings.public_url
    if url is None or sender is None or secret is None or public is None:
        return None
    mails = WarningMails(MailTemplates(), secret=secret.get_secret_value(), public_url=str(public))
    return QuotaWarnings(database, Mailer(str(url), sender), mails)


def build_webhooks(database: Database, payments: Payments, invoices: InvoiceSync) -> Webhooks:
    """What acts on Stripe's events."""
    return Webhooks(database, payments.customers, payments.invoices, payments.subscriptions, invoices)
