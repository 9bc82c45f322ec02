"""Promise 12: one warning for each threshold in each period, whether the job runs twice, late, or out of order."""

from __future__ import annotations

import asyncio
import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aichat_sandbox.ports import free_ports
from aichat_sandbox.supervisor import until
from aichat_server.core.database.database import Database
from aichat_server.mail.domain import MailServerUnavailableError
from aichat_server.notifications.service.warnings import QuotaWarnings
from aichat_server.quotas.domain import QuotaPeriod

from tests.fixtures.mail import MailServer
from tests.integration.notifications.conftest import Company, build

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


async def test_each_threshold_is_warned_of_once(
    acme: Company, warnings: QuotaWarnings, mail_server: MailServer
) -> None:
    await acme.limit(100)
    await acme.spend(49, NOON)
    assert (await warnings.run(NOON)).noted == 0
    for spent, share in ((1, 50), (30, 80), (20, 100)):
        await acme.spend(spent, NOON)
        assert await warnings.due(NOON) == 1
        assert (await warnings.run(NOON)).sent == 1
        assert await warnings.due(NOON) == 0
        assert (await warnings.run(NOON + HOUR)).sent == 0
        [mail] = await mail_server.mails()
        assert f" {share} % of the organisation's quota for January 2026 " in mail["subject"]
    assert await acme.states() == [(50, "sent"), (80, "sent"), (100, "sent")]


async def test_of_several_thresholds_at_once_the_highest_is_sent(
    acme: Company, warnings: QuotaWarnings, mail_server: MailServer
) -> None:
    await acme.limit(100)
    await acme.spend(250, NOON)
    assert (await warnings.run(NOON)).sent == 1
    [mail] = await mail_server.mails()
    assert " 250 % of " in mail["subject"]
    assert await acme.states() == [(50, "covered"), (80, "covered"), (100, "sent")]


async def test_a_limit_that_is_raised_repeats_no_warning(
    acme: Company, warnings: QuotaWarnings, mail_server: MailServer
) -> None:
    await acme.limit(100)
    await acme.spend(80, NOON)
    await warnings.run(NOON)
    await acme.limit(160)
    assert (await warnings.run(NOON)).sent == 0
    await acme.spend(50, NOON)
    assert (await warnings.run(NOON)).sent == 0
    assert len(await mail_server.mails()) == 1


async def test_workers_at_once_send_one(
    acme: Company, mail_settings: dict[str, str], database: Database, mail_server: MailServer
) -> None:
    await acme.limit(100)
    await acme.spend(60, NOON)
    runs = await asyncio.gather(*(build(mail_settings, database).run(NOON) for _ in range(5)))
    assert sum(run.sent for run in runs) == 1
    assert sum(run.noted for run in runs) == 1
    assert len(await mail_server.mails()) == 1


async def test_a_killed_worker_loses_nothing_and_a_repeated_mail_can_be_recognized(
    acme: Company, warnings: QuotaWarnings, mail_settings: dict[str, str], mail_server: MailServer, tmp_path: Path
) -> None:
    await acme.limit(100)
    await acme.spend(60, NOON)
    # The server has the e-mail, but its reply never reaches the worker.
    await mail_server.answer_with(hang=True)
    command = (sys.executable, str(Path(__file__).with_name("worker.py")), NOON.isoformat())
    environment = {**mail_settings, "PATH": os.environ["PATH"]}
    worker = await asyncio.create_subprocess_exec(*command, env=environment, cwd=tmp_path)

    async def came() -> bool:
        assert worker.returncode is None
        return bool(await mail_server.names())

    try:
        async with asyncio.timeout(60):
            await until(came)
    finally:
        if worker.returncode is None:
            worker.kill()
        await worker.wait()
    assert await acme.states() == [(50, "pending")]
    await mail_server.answer_with()
    assert (await warnings.run(NOON + HOUR)).sent == 0, "the dead worker's claim holds"

    await acme.let_claims_run_out()
    # In the next month, with another use of the quota: the warning is still the one that was due.
    assert (await warnings.run(NOON + timedelta(days=30))).sent == 1
    first, second = await mail_server.mails()
    assert first["message-id"] == second["message-id"]
    assert first["subject"] == second["subject"]
    assert (await warnings.run(NOON + timedelta(days=30))).sent == 0
    assert await acme.states() == [(50, "sent")]


async def test_without_its_mail_server_it_keeps_what_is_due(
    acme: Company,
    warnings: QuotaWarnings,
    mail_settings: dict[str, str],
    database: Database,
    mail_server: MailServer,
) -> None:
    await acme.limit(100)
    await acme.spend(60, NOON)
    [nowhere] = free_ports(1)
    with pytest.raises(MailServerUnavailableError):
        await build({**mail_settings, "SMTP_URL": f"smtp://127.0.0.1:{nowhere}"}, database).run(NOON)
    assert await acme.states() == [(50, "pending")]
    await acme.spend(20, NOON)
    run = await warnings.run(NOON)
    assert (run.noted, run.sent) == (1, 1)
    [mail] = await mail_server.mails()
    assert " 80 % of " in mail["subject"]
    assert await acme.states() == [(50, "covered"), (80, "sent")]


async def test_a_deferred_mail_is_sent_later_and_a_refused_one_never(
    acme: Company, warnings: QuotaWarnings, mail_server: MailServer
) -> None:
    await acme.limit(100)
    await acme.spend(60, NOON)
    await mail_server.answer_with("451 try again later", keep=False)
    assert (await warnings.run(NOON)).deferred == 1
    await mail_server.answer_with()
    await acme.let_claims_run_out()
    assert (await warnings.run(NOON)).sent == 1
    await acme.spend(20, NOON)
    await mail_server.answer_with("554 no", keep=False)
    run = await warnings.run(NOON)
    assert (run.noted, run.sent, run.deferred) == (1, 0, 0)
    await mail_server.answer_with()
    await acme.let_claims_run_out()
    assert (await warnings.run(NOON)).sent == 0
    assert await acme.states() == [(50, "sent"), (80, "refused")]


@pytest.mark.parametrize(
    ("last", "period", "named"),
    [
        (datetime(2026, 1, 31, 23, 59, 59, 999_999, tzinfo=UTC), QuotaPeriod.MONTH, "January 2026"),
        (datetime(2025, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC), QuotaPeriod.MONTH, "December 2025"),
        (datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC), QuotaPeriod.MONTH, "February 2024"),
        (datetime(2024, 2, 29, 23, 59, 59, 999_999, tzinfo=UTC), QuotaPeriod.DAY, "29 February 2024"),
        # Clocks go forward in many places; a day of UTC has its 24 hours.
        (datetime(2026, 3, 29, 23, 59, 59, 999_999, tzinfo=UTC), QuotaPeriod.DAY, "29 March 2026"),
    ],
)
async def test_spending_in_a_periods_last_moment_is_warned_of_in_the_next_run(
    acme: Company,
    warnings: QuotaWarnings,
    mail_server: MailServer,
    last: datetime,
    period: QuotaPeriod,
    named: str,
) -> None:
    await acme.limit(100, period=period)
    await acme.spend(60, last)
    assert (await warnings.run(last + timedelta(minutes=5))).sent == 1
    [mail] = await mail_server.mails()
    assert f" 60 % of the organisation's quota for {named} " in mail["subject"]
    # Spending from the first moment of the next period counts for that period.
    await acme.spend(80, last + timedelta(microseconds=1))
    assert (await warnings.run(last + timedelta(minutes=6))).sent == 1
    [mail] = await mail_server.mails()
    assert f" 80 % of the organisation's quota for {named} " not in mail["subject"]
    assert (await warnings.run(last + timedelta(hours=23))).sent == 0


async def test_runs_out_of_order_warn_of_each_period_once(
    acme: Company, warnings: QuotaWarnings, mail_server: MailServer
) -> None:
    await acme.limit(100)
    january, february, march = (datetime(2026, month, 20, tzinfo=UTC) for month in (1, 2, 3))
    for moment in (january, february, march):
        await acme.spend(60, moment)
    for moment in (march, january, february, january, march):
        await warnings.run(moment)
    months = [mail["subject"].split(" for ")[1] for mail in await mail_server.mails()]
    assert months == ["March 2026 is used", "January 2026 is used", "February 2026 is used"]


async def test_a_quota_has_nothing_to_do_with_periods_that_were_over_when_it_was_set(
    acme: Company, warnings: QuotaWarnings
) -> None:
    first = datetime(2026, 2, 1, tzinfo=UTC)
    await acme.spend(60, first - timedelta(seconds=1))
    await acme.limit(100, since=first)
    assert (await warnings.run(first + HOUR)).noted == 0
    await acme.limit(100, since=first - timedelta(seconds=1))
    assert (await warnings.run(first + HOUR)).sent == 1
