"""A tenant with rows in every table."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeAlias
from uuid import UUID, uuid4

import asyncpg
from aichat_server.billing.domain import Subscription
from aichat_server.billing.storage.billing import BillingRepository
from aichat_server.billing.storage.unpaid import UnpaidRepository
from aichat_server.content.parts import StoredFile
from aichat_server.conversations.storage.summaries import Summary, SummaryStore
from aichat_server.core.actor import Actor
from aichat_server.core.database.database import Database
from aichat_server.core.money import NanoUsd
from aichat_server.core.periods import month
from aichat_server.files.storage.files import FileRepository, message_files
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.storage.api_keys import ApiKeyRepository
from aichat_server.identity.storage.organizations import OrganizationRepository
from aichat_server.invoices.domain import statements
from aichat_server.invoices.domain.invoices import AdjustmentKind, InvoiceStage
from aichat_server.invoices.storage.adjustments import AdjustmentRepository
from aichat_server.invoices.storage.invoices import InvoiceRepository
from aichat_server.notifications.domain.warnings import QUOTA_WARNING, QuotaUse
from aichat_server.notifications.storage.notifications import NotificationRepository
from aichat_server.notifications.storage.warnings import WarningRepository
from aichat_server.outbox.storage import OutboxRepository
from aichat_server.payments.domain.billing import SubscriptionStatus
from aichat_server.plans.domain import Plan
from aichat_server.quotas.domain import QuotaName, QuotaPeriod, QuotaScope
from aichat_server.quotas.service import Quotas
from sqlalchemy import insert, text

from tests.integration.conversations.turns import Turns, exchange, turn

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
JANUARY, FEBRUARY = month(2024, 1), month(2024, 2)
TABLES = (
    "SELECT relname FROM pg_class WHERE relnamespace = 'aichat'::regnamespace AND relkind IN ('r', 'p', 'm', 'v', 'f') "
    "AND NOT relispartition"
)

_RESPOND = text(
    "INSERT INTO aichat.responses (org_id, generation_id, owns_conversation, request) "
    "VALUES (:org_id, :generation_id, true, '{}')"
)
_KEEP = text("INSERT INTO aichat.kept_answers (org_id, generation_id, parts) VALUES (:org_id, :generation_id, '[]')")


async def filled_tenant(database: Database) -> Principal:
    """Creates an organisation with rows everywhere. A new table needs a row here."""
    user_id = uuid4()
    org_id, key_id = uuid4(), uuid4()
    async with database.session(org_id, Actor.member(user_id)) as session:
        await OrganizationRepository(session).ensure_personal(user_id, "someone@example.com")
        await ApiKeyRepository(session).add(key_id, user_id, b"hash", None)
    principal = Principal(org_id, user_id, key_id)
    monthly = QuotaName(QuotaScope.ORGANIZATION, org_id, QuotaPeriod.MONTH)
    assert await Quotas(database).set(org_id, monthly, None, NanoUsd(0))
    await exchange(database, principal)
    name = QuotaName(QuotaScope.MEMBER, user_id, QuotaPeriod.DAY)
    day = datetime(2026, 1, 31, tzinfo=UTC)
    used = QuotaUse(name, day, day + timedelta(days=1), NanoUsd(2), refuses=True, used=NanoUsd(1))
    async with database.session(org_id, Actor.member(user_id)) as session:
        warning_id = await WarningRepository(session).note(user_id, used)
        assert warning_id is not None
        await OutboxRepository(session).add(QUOTA_WARNING, warning_id)
        await NotificationRepository(session).set_quota_warnings(user_id, wanted=False)
        invoices, adjustments = InvoiceRepository(session), AdjustmentRepository(session)
        await invoices.close(JANUARY)
        credit = await adjustments.add(uuid4(), AdjustmentKind.CREDIT, NanoUsd(-1), reason="Sorry", actor="ops")
        await invoices.draft(JANUARY, statements.statement((), [credit]), InvoiceStage.SETTLED, customer_id=None)
        await invoices.close(FEBRUARY)
        closed = {InvoiceStage.CLOSED}
        assert await invoices.move(FEBRUARY, closed, InvoiceStage.BLOCKED, blocked_because="Test")
        assert await UnpaidRepository(session).note(JANUARY)
        assert await UnpaidRepository(session).tell(JANUARY, [user_id])
        await adjustments.mark_refunded(credit.adjustment_id, str(uuid4()))
        billing = BillingRepository(session)
        account = await billing.ensure_account()
        await billing.settle_customer(f"cus_{org_id}")
        bought = Subscription("sub", Plan.PRO, SubscriptionStatus.ACTIVE, 1, day, day, False, None, None)
        assert await billing.take_over(bought, day, seen_version=account.seen_version, grace_ends_at=None)
    asked = turn(principal, request_id=uuid4())
    await Turns(database).begin(asked)
    await SummaryStore(database).keep(org_id, asked.user_message_id, Summary("They met.", 0))
    await _show_file(database, principal, asked.user_message_id)
    await _keep_answer(database, principal, asked.generation_id)
    return principal


async def _keep_answer(database: Database, principal: Principal, generation_id: UUID) -> None:
    async with database.session(principal.org_id, principal.actor) as session:
        for row in (_KEEP, _RESPOND):
            await session.connection.execute(row, {"org_id": principal.org_id, "generation_id": generation_id})


async def _show_file(database: Database, principal: Principal, message_id: UUID) -> None:
    async with database.session(principal.org_id, principal.actor) as session:
        await FileRepository(session).add(StoredFile("0" * 64, "image/png", 1), uuid4())
        shown = {"org_id": principal.org_id, "message_id": message_id, "sha256": "0" * 64}
        await session.connection.execute(insert(message_files).values(**shown))
