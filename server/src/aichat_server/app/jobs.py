"""The jobs' use cases, put together from the settings."""

from __future__ import annotations

from aichat_server.gateways.mail import Mailer
from aichat_server.gateways.mail_templates import MailTemplates
from aichat_server.services.billing import Payments
from aichat_server.services.invoices import Invoices
from aichat_server.services.rollups import Rollups
from aichat_server.services.warning_mails import WarningMails
from aichat_server.services.warnings import QuotaWarnings
from aichat_server.services.webhooks import InvoiceSync, Webhooks
from aichat_server.settings import Settings
from aichat_server.storage.database import Database


def build_quota_warnings(settings: Settings, database: Database) -> QuotaWarnings | None:
    """None where no SMTP_URL names a server to hand e-mails to."""
    url, sender, secret, public = settings.smtp_url, settings.mail_from, settings.mail_secret, settings.public_url
    if url is None or sender is None or secret is None or public is None:
        return None
    mails = WarningMails(MailTemplates(), secret=secret.get_secret_value(), public_url=str(public))
    return QuotaWarnings(database, Mailer(str(url), sender), mails)


def build_rollups(database: Database) -> Rollups:
    """Sums usage up by the hour."""
    return Rollups(database)


def build_webhooks(database: Database, payments: Payments, invoices: InvoiceSync) -> Webhooks:
    """What acts on Stripe's events."""
    return Webhooks(database, payments.customers, payments.invoices, payments.subscriptions, invoices)


def build_invoices(database: Database, payments: Payments | None) -> Invoices:
    """The monthly invoices; without a payment provider they wait as drafts."""
    return Invoices(database, payments.invoices if payments is not None else None)
