"""The use cases of the jobs, put together for the workers and for nobody else."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial

from aichat_server.app.billing import build_grace, open_desk, open_payments
from aichat_server.app.clock import open_clock
from aichat_server.app.database import connect_database
from aichat_server.app.files import build_storage
from aichat_server.app.journals import build_streams
from aichat_server.app.plans import open_plan_book
from aichat_server.app.redis import redis_named
from aichat_server.app.stores import build_orphans
from aichat_server.billing.domain import UNPAID_INVOICE
from aichat_server.billing.service.billing import Payments
from aichat_server.billing.service.subscriptions import Subscriptions
from aichat_server.billing.service.webhooks import InvoiceSync, Webhooks
from aichat_server.core.clock import Clock
from aichat_server.core.database.database import Database
from aichat_server.core.redis.client import open_redis
from aichat_server.files.service.collection import FileCollection
from aichat_server.generations.gateway.spare_leases import SpareLeases
from aichat_server.generations.service.orphans import Orphans
from aichat_server.invoices.domain.invoices import REFUND
from aichat_server.invoices.service.collection import Collection
from aichat_server.invoices.service.desk import InvoiceDesk
from aichat_server.invoices.service.monthly import Invoices
from aichat_server.jobs.gateway import queue_depth
from aichat_server.jobs.service.runs import JobRuns
from aichat_server.jobs.service.watch import JobsWatch
from aichat_server.mail.gateway.rendering import FileTemplates
from aichat_server.mail.gateway.smtp import SmtpMailer
from aichat_server.notifications.domain.warnings import QUOTA_WARNING
from aichat_server.notifications.service.unpaid_notices import UnpaidNotices
from aichat_server.notifications.service.warning_mails import WarningMails
from aichat_server.notifications.service.warnings import QuotaWarnings
from aichat_server.outbox.domain import MessageKind
from aichat_server.outbox.service import Deliver, Outbox
from aichat_server.retention.service.retention import Retention
from aichat_server.settings import Settings
from aichat_server.telemetry.observing import Observer
from aichat_server.usage.service.rollups import Rollups


@dataclass(frozen=True, slots=True)
class Jobs:
    """What there is to do, each by a use case of its own."""

    orphans: Orphans
    warnings: QuotaWarnings | None
    """None where no SMTP_URL names a server to hand e-mails to."""
    rollups: Rollups
    invoices: Invoices
    webhooks: Webhooks | None
    """None where no STRIPE_SECRET_KEY opens an account at the payment provider, as `subscriptions`."""
    subscriptions: Subscriptions | None
    outbox: Outbox
    retention: Retention
    files: FileCollection | None
    """None where no AICHAT_FILES_URL names a storage."""
    runs: JobRuns
    watch: JobsWatch
    clock: Clock
    """By which all of them go."""


@asynccontextmanager
async def build_jobs(settings: Settings, observer: Observer) -> AsyncGenerator[Jobs, None]:
    """Builds the use cases, whose runs are reported to `observer`; closes everything at the end."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(connect_database(settings))
        streams = spare = depth = None
        if settings.redis_url is not None:
            with redis_named():
                redis = await stack.enter_async_context(open_redis(str(settings.redis_url)))
            streams, spare = build_streams(settings, redis), SpareLeases(redis)
            depth = partial(queue_depth, redis)
        clock = await stack.enter_async_context(open_clock(database, observer))
        plans = await stack.enter_async_context(open_plan_book(settings, database, clock, observer))
        payments = await stack.enter_async_context(open_payments(settings, database, plans))
        desk = await stack.enter_async_context(open_desk(settings, database))
        warnings = build_quota_warnings(settings, database)
        storage = build_storage(settings)
        yield Jobs(
            orphans=build_orphans(database, streams, spare, rescue_seconds=settings.rescue_seconds),
            warnings=warnings,
            rollups=Rollups(database),
            invoices=desk.invoices,
            webhooks=build_webhooks(database, payments, desk.invoices) if payments is not None else None,
            subscriptions=payments.subscriptions if payments is not None else None,
            outbox=_build_outbox(database, warnings, desk, _build_unpaid_notices(settings, database, payments)),
            retention=Retention(database, plans),
            files=FileCollection(database, storage) if storage is not None else None,
            runs=JobRuns(database, observer),
            watch=JobsWatch(database, depth, observer),
            clock=clock,
        )


def _build_outbox(
    database: Database, warnings: QuotaWarnings | None, desk: InvoiceDesk, unpaid: UnpaidNotices | None
) -> Outbox:
    """What cannot be handed over here, without a mail server, waits for workers that can."""
    deliveries: dict[MessageKind, Deliver] = {REFUND: desk.carry_out_refund}
    if warnings is not None:
        deliveries[QUOTA_WARNING] = warnings.send
    if unpaid is not None:
        deliveries[UNPAID_INVOICE] = unpaid.send
    return Outbox(database, deliveries)


def build_quota_warnings(settings: Settings, database: Database) -> QuotaWarnings | None:
    """None where no SMTP_URL names a server to hand e-mails to."""
    url, sender, secret, public = settings.smtp_url, settings.mail_from, settings.mail_secret, settings.public_url
    if url is None or sender is None or secret is None or public is None:
        return None
    mails = WarningMails(FileTemplates(), secret=secret.get_secret_value(), public_url=str(public))
    return QuotaWarnings(database, SmtpMailer(str(url), sender), mails)


def _build_unpaid_notices(settings: Settings, database: Database, payments: Payments | None) -> UnpaidNotices | None:
    """None without a mail server, or without invoices."""
    url, sender = settings.smtp_url, settings.mail_from
    if url is None or sender is None or payments is None:
        return None
    mailer = SmtpMailer(str(url), sender)
    return UnpaidNotices(database, payments.invoices, mailer, FileTemplates(), build_grace(settings))


def build_webhooks(database: Database, payments: Payments, invoices: InvoiceSync) -> Webhooks:
    """What acts on Stripe's events."""
    cards = Collection(database, payments)
    return Webhooks(database, payments.customers, payments.invoices, payments.subscriptions, invoices, cards)
