"""Promise 12: a stored message is sent in the end, once, whatever the mail server did in the meantime."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from aichat_sandbox.ports import free_ports
from aichat_sandbox.postgres import Postgres
from aichat_server.core.database.database import Database
from aichat_server.mail.domain import MailServerUnavailableError
from aichat_server.notifications.domain.warnings import QUOTA_WARNING
from aichat_server.notifications.service.warnings import QuotaWarnings
from aichat_server.outbox.service import Outbox, Relayed

from tests.fixtures.mail import MailServer
from tests.fixtures.rows import connection
from tests.integration.notifications.conftest import Company, build

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
NOTHING = Relayed(0, 0)


@pytest.fixture
def outbox(database: Database, warnings: QuotaWarnings) -> Outbox:
    return Outbox(database, {QUOTA_WARNING: warnings.send})


@pytest.fixture
async def noted(acme: Company, mail_settings: dict[str, str], database: Database) -> None:
    """Stores a warning while the mail server is unreachable."""
    await acme.limit(100)
    await acme.spend(60, NOON)
    [nowhere] = free_ports(1)
    with pytest.raises(MailServerUnavailableError):
        await build({**mail_settings, "SMTP_URL": f"smtp://127.0.0.1:{nowhere}"}, database).run(NOON)


def soon() -> datetime:
    """Returns a moment at which what is due now is due, even if a clock is slightly behind."""
    return datetime.now(UTC) + timedelta(seconds=10)


async def left(postgres: Postgres) -> int:
    async with connection(postgres.owner_url) as owner:
        return int(await owner.fetchval("SELECT count(*) FROM aichat.outbox"))


@pytest.mark.usefixtures("noted")
async def test_a_stored_message_is_sent_once(
    acme: Company, outbox: Outbox, mail_server: MailServer, postgres: Postgres
) -> None:
    assert await outbox.relay(soon()) == Relayed(1, 0)
    assert len(await mail_server.mails()) == 1
    assert await acme.states() == [(50, "sent")]
    assert await left(postgres) == 0
    assert await outbox.relay(soon()) == NOTHING


@pytest.mark.usefixtures("noted")
async def test_a_deferred_message_waits_longer_each_time(
    acme: Company, outbox: Outbox, mail_server: MailServer
) -> None:
    await mail_server.answer_with("451 later", keep=False)
    now = soon()
    for wait in (timedelta(minutes=1), timedelta(minutes=2)):
        assert await outbox.relay(now) == Relayed(0, 1)
        await acme.let_claims_run_out()
        assert await outbox.relay(now + wait - timedelta(seconds=1)) == NOTHING
        now += wait
    await mail_server.answer_with()
    assert await outbox.relay(now) == Relayed(1, 0)
    assert await acme.states() == [(50, "sent")]


@pytest.mark.usefixtures("noted")
async def test_without_its_mail_server_all_stays_due(
    acme: Company, mail_settings: dict[str, str], database: Database, outbox: Outbox
) -> None:
    [nowhere] = free_ports(1)
    away = build({**mail_settings, "SMTP_URL": f"smtp://127.0.0.1:{nowhere}"}, database)
    with pytest.raises(MailServerUnavailableError):
        await Outbox(database, {QUOTA_WARNING: away.send}).relay(soon())
    assert await outbox.relay(soon()) == Relayed(1, 0)
    assert await acme.states() == [(50, "sent")]


@pytest.mark.usefixtures("noted")
async def test_a_warning_that_a_higher_threshold_covers_is_not_sent(
    acme: Company, warnings: QuotaWarnings, outbox: Outbox, mail_server: MailServer, postgres: Postgres
) -> None:
    await acme.spend(30, NOON)
    assert (await warnings.run(NOON)).sent == 1
    assert await outbox.relay(soon()) == Relayed(1, 0)
    assert len(await mail_server.mails()) == 1
    assert await acme.states() == [(50, "covered"), (80, "sent")]
    assert await left(postgres) == 0
