"""The e-mail that warns of a quota."""

from __future__ import annotations

import calendar
from datetime import datetime
from urllib.parse import urlencode

from aichat_server.core.money import NANO_PER_USD, NanoUsd, to_decimal
from aichat_server.mail.domain import Mail, MailTemplates
from aichat_server.notifications.domain import unsubscribe
from aichat_server.notifications.domain.warnings import ClaimedWarning, QuotaUse
from aichat_server.quotas.domain import QuotaName, QuotaPeriod, QuotaScope

_UNSUBSCRIBE_PATH = "/v1/notifications/unsubscribe"
_SHOWN_NAME_CHARACTERS = 80


class WarningMails:
    """Writes warnings, each with an unsubscribe link."""

    def __init__(self, templates: MailTemplates, *, secret: str, public_url: str) -> None:
        """`secret` signs the links, which lead to the edge at `public_url`."""
        self._templates = templates
        self._secret = secret
        self._public_url = public_url.rstrip("/")

    def write(self, claimed: ClaimedWarning, address: str) -> Mail:
        """Returns the warning as an e-mail to `address`."""
        warning, use = claimed.warning, claimed.warning.use
        organization, period = one_line(claimed.organization), _period(use)
        subject = f"{organization}: {use.percent} % of {_whose(use.name)} for {period} is used"
        token = unsubscribe.sign(self._secret, warning.org_id, warning.member_id)
        url = f"{self._public_url}{_UNSUBSCRIBE_PATH}?{urlencode({'token': token})}"
        values = {
            "subject": subject,
            "organization": organization,
            "percent": use.percent,
            "threshold": warning.threshold,
            "whose": _whose(use.name),
            "period": period,
            "unit": use.name.period.value,
            "resets": _day(use.period_end),
            "used": _dollars(use.used),
            "limit": _dollars(use.limit),
            "refuses": use.refuses,
            "unsubscribe_url": url,
        }
        text, html = self._templates.render("quota_warning", values)
        return Mail(warning.id, address, subject, text, html, url)


def one_line(name: str) -> str:
    """Returns a name that cannot forge a header or a line of text, since members choose their organisation's name."""
    shown = "".join(character if character.isprintable() else " " for character in name)
    return " ".join(shown.split())[:_SHOWN_NAME_CHARACTERS] or "Your organisation"


def _whose(name: QuotaName) -> str:
    match name.scope:
        case QuotaScope.ORGANIZATION:
            return "the organisation's quota"
        case QuotaScope.MEMBER:
            return "your quota"
        case QuotaScope.KEY:
            return f"the quota of API key {name.id}"


def _period(use: QuotaUse) -> str:
    start = use.period_start
    return f"{calendar.month_name[start.month]} {start.year}" if use.name.period is QuotaPeriod.MONTH else _day(start)


def _day(moment: datetime) -> str:
    return f"{moment.day} {calendar.month_name[moment.month]} {moment.year}"


def _dollars(amount: NanoUsd) -> str:
    """Returns the amount in cents, rounded down; an amount below a cent exactly."""
    if amount and amount < NANO_PER_USD // 100:
        return f"{to_decimal(amount):f}"
    cents = amount * 100 // NANO_PER_USD
    return f"{cents // 100:,}.{cents % 100:02}"
