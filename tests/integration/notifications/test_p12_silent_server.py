"""Promise 12: a silent or slow mail server delays nothing else, and gets every e-mail afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.invoices.domain.invoices import REFUND
from aichat_server.mail.domain import MailServerUnavailableError
from aichat_server.mail.gateway import smtp as mail
from aichat_server.notifications.domain.warnings import QUOTA_WARNING
from aichat_server.outbox.domain import MessageKind
from aichat_server.outbox.service import Outbox, Relayed

from tests.faults.link import Link, Way, link_to
from tests.fixtures.mail import MailServer
from tests.fixtures.rows import connection
from tests.integration.notifications.conftest import Company, build

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
SECONDS = 2.0
BOUND_SECONDS = 20.0


@pytest.fixture
async def link(mail_server: MailServer, monkeypatch: pytest.MonkeyPatch) -> AsyncGenerator[Link, None]:
    """A link to the mail server, which may take seconds here instead of half a minute."""
    monkeypatch.setattr(mail, "_SECONDS", SECONDS)
    async with link_to(mail_server.url) as opened:
        yield opened


@pytest.fixture
def settings(mail_settings: dict[str, str], mail_server: MailServer, link: Link) -> dict[str, str]:
    return {**mail_settings, "SMTP_URL": link.through(mail_server.url)}


async def _due(postgres: Postgres, company: Company, kind: MessageKind) -> UUID:
    """Adds a message that becomes due after the stored ones."""
    message_id = uuid4()
    async with connection(postgres.owner_url) as owner:
        await owner.execute(
            "INSERT INTO aichat.outbox (org_id, message_id, kind, due_at) VALUES ($1, $2, $3, now())",
            *(company.principal.org_id, message_id, kind),
        )
    return message_id


def _break(link: Link, how: str) -> None:
    if how == "slow":
        # Each command is answered in time, but not all of them together.
        link.slow_down(delay_seconds=SECONDS / 4)
    elif how == "silent":
        link.silence()
    else:
        link.silence(Way.DOWN)


@pytest.mark.parametrize("how", ["silent", "silent from it", "slow"])
async def test_p12_the_rest_is_sent_in_the_meantime(
    acme: Company, settings: dict[str, str], database: Database, postgres: Postgres, mail_server: MailServer,
    link: Link, how: str,
) -> None:  # fmt: skip
    warnings = build(settings, database)
    await acme.limit(100)
    await acme.spend(60, NOON)
    _break(link, how)
    async with asyncio.timeout(BOUND_SECONDS):
        with pytest.raises(MailServerUnavailableError):
            await warnings.run(NOON)
    refunds: list[UUID] = []
    refund = await _due(postgres, acme, REFUND)

    async def carry_out(_org_id: UUID, message_id: UUID) -> bool:
        refunds.append(message_id)
        return True

    outbox = Outbox(database, {QUOTA_WARNING: warnings.send, REFUND: carry_out})
    now = datetime.now(UTC) + timedelta(seconds=10)
    async with asyncio.timeout(BOUND_SECONDS):
        with pytest.raises(MailServerUnavailableError):
            await outbox.relay(now)
    assert refunds == [refund]
    assert await acme.states() == [(50, "pending")]
    link.heal()
    await acme.let_claims_run_out()
    assert await outbox.relay(now) == Relayed(1, 0)
    assert await acme.states() == [(50, "sent")]
    assert await mail_server.mails()
