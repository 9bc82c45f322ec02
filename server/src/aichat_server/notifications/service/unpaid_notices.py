"""Notifies an organisation's owners by e-mail that an invoice for usage is unpaid."""

from __future__ import annotations

import calendar
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from aichat_server.billing.domain import UnpaidNotice
from aichat_server.billing.service.dunning import unpaid_notice
from aichat_server.core.database.database import Database
from aichat_server.mail.domain import Mail, MailDeferredError, Mailer, MailRefusedError, MailTemplates
from aichat_server.notifications.service.warning_mails import one_line
from aichat_server.payments.domain.provider import PaymentInvoices

_log = structlog.get_logger()


class UnpaidNotices:
    """One notice for each owner and invoice, sent by the outbox; a repeated one has the same Message-ID."""

    def __init__(
        self, database: Database, stripe: PaymentInvoices, mailer: Mailer, templates: MailTemplates, grace: timedelta
    ) -> None:
        self._database = database
        self._stripe = stripe
        self._mailer = mailer
        self._templates = templates
        self._grace = grace

    async def send(self, org_id: UUID, notice_id: UUID) -> bool:
        """Sends a notice from the outbox; returns whether it is done.

        Raises MailServerUnavailableError if it can be sent later. Also fails as `StripeCalls.send` does.
        """
        async with self._database.session(org_id) as session:
            notice = await unpaid_notice(session, notice_id)
        ids = {"org_id": str(org_id), "notice_id": str(notice_id)}
        if notice is None:
            return True
        if notice.address is None:
            _log.warning("unpaid invoice without a recipient: no owner has an address", **ids)
            return True
        page = (await self._stripe.fetch(notice.invoice.stripe_id)).page_url
        try:
            await self._mailer.send(self._write(notice, notice.address, page or ""))
        except MailRefusedError as error:
            _log.warning("notice of an unpaid invoice refused", **ids, error=str(error))
        except MailDeferredError as error:
            _log.warning("notice of an unpaid invoice deferred", **ids, error=str(error))
            return False
        return True

    def _write(self, notice: UnpaidNotice, address: str, page: str) -> Mail:
        organization, start = one_line(notice.organization), notice.invoice.month.start
        month = f"{calendar.month_name[start.month]} {start.year}"
        values = {
            "subject": f"{organization}: the invoice for usage in {month} was not paid",
            "organization": organization,
            "month": month,
            "total": f"{notice.invoice.total // 100:,}.{notice.invoice.total % 100:02}",
            "grace_ends": _day(notice.invoice.since + self._grace),
            "page_url": page,
        }
        text, html = self._templates.render("unpaid_invoice", values)
        return Mail(notice.id, address, str(values["subject"]), text, html, None)


def _day(moment: datetime) -> str:
    return f"{moment.day} {calendar.month_name[moment.month]} {moment.year}"
