"""Stores unpaid invoices for usage, and the notices about them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import BigInteger, Column, Table, Text, Uuid, column, delete, func, select, table
from sqlalchemy.dialects.postgresql import insert

from aichat_server.billing.domain import UnpaidInvoice, UnpaidNotice
from aichat_server.core.database.session import PlatformSession, Repository
from aichat_server.core.database.tables import Time, metadata
from aichat_server.core.periods import Month, month_of

_unpaid = Table(
    "unpaid_invoices",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("period_start", Time, primary_key=True),
    Column("unpaid_since", Time, nullable=False),
)
_notices = Table(
    "unpaid_notices",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("notice_id", Uuid, primary_key=True),
    Column("period_start", Time, nullable=False),
    Column("member_id", Uuid, nullable=False),
)
# Tables of other features: what a notice shows.
_invoices = table(
    "invoices",
    column("org_id", Uuid),
    column("period_start", Time),
    column("total_cents", BigInteger),
    column("stripe_invoice_id", Text),
    schema="aichat",
)
_organizations = table(
    "organizations", column("org_id", Uuid), column("name", Text), column("contact_email", Text), schema="aichat"
)
_users = table("users", column("user_id", Uuid), column("email", Text), schema="aichat")


class UnpaidRepository(Repository):
    """One organisation's unpaid invoices."""

    async def note(self, month: Month) -> bool:
        """Records that the month's invoice is unpaid; returns False if that was recorded."""
        row = {"org_id": self._org_id, "period_start": month.start, "unpaid_since": func.now()}
        return (await self._connection.execute(insert(_unpaid).values(row).on_conflict_do_nothing())).rowcount > 0

    async def settle(self, month: Month) -> bool:
        """Records that nothing is due for the month any more; returns False if that was recorded."""
        gone = (_unpaid.c.org_id == self._org_id) & (_unpaid.c.period_start == month.start)
        return (await self._connection.execute(delete(_unpaid).where(gone))).rowcount > 0

    async def list(self) -> tuple[UnpaidInvoice, ...]:
        """Returns the unpaid invoices, the oldest first."""
        query = select(
            _unpaid.c.period_start, _unpaid.c.unpaid_since, _invoices.c.total_cents, _invoices.c.stripe_invoice_id
        )
        query = query.join(
            _invoices, (_invoices.c.org_id == _unpaid.c.org_id) & (_invoices.c.period_start == _unpaid.c.period_start)
        )
        rows = await self._connection.execute(
            query.where(_unpaid.c.org_id == self._org_id).order_by(_unpaid.c.period_start)
        )
        return tuple(
            UnpaidInvoice(month_of(row.period_start), row.unpaid_since, row.total_cents, row.stripe_invoice_id)
            for row in rows
        )

    async def since(self) -> datetime | None:
        """Returns the moment since which an unpaid amount is due; None if nothing is."""
        query = select(func.min(_unpaid.c.unpaid_since)).where(_unpaid.c.org_id == self._org_id)
        since: datetime | None = (await self._connection.execute(query)).scalar_one()
        return since

    async def tell(self, month: Month, members: Collection[UUID]) -> tuple[UUID, ...]:
        """Creates a notice about the month's invoice for each of these members; returns the notices' ids."""
        of_month = {"org_id": self._org_id, "period_start": month.start}
        told = {uuid4(): member_id for member_id in members}
        for notice_id, member_id in told.items():
            await self._connection.execute(
                insert(_notices).values(**of_month, notice_id=notice_id, member_id=member_id)
            )
        return tuple(told)

    async def notice(self, notice_id: UUID) -> UnpaidNotice | None:
        """Returns a notice's recipient and content; None if it is no longer needed."""
        query = (
            select(
                _notices.c.period_start,
                _unpaid.c.unpaid_since,
                _invoices.c.total_cents,
                _invoices.c.stripe_invoice_id,
                _organizations.c.name,
                func.coalesce(func.nullif(_users.c.email, ""), _organizations.c.contact_email).label("address"),
            )
            .join(
                _unpaid, (_unpaid.c.org_id == _notices.c.org_id) & (_unpaid.c.period_start == _notices.c.period_start)
            )
            .join(
                _invoices,
                (_invoices.c.org_id == _unpaid.c.org_id) & (_invoices.c.period_start == _unpaid.c.period_start),
            )
            .join(_organizations, _organizations.c.org_id == _notices.c.org_id)
            .outerjoin(_users, _users.c.user_id == _notices.c.member_id)
            .where(_notices.c.org_id == self._org_id, _notices.c.notice_id == notice_id)
        )
        row = (await self._connection.execute(query)).one_or_none()
        if row is None:
            return None
        invoice = UnpaidInvoice(month_of(row.period_start), row.unpaid_since, row.total_cents, row.stripe_invoice_id)
        return UnpaidNotice(notice_id, invoice, row.name, row.address)


async def list_unpaid(session: PlatformSession) -> tuple[tuple[UUID, Month], ...]:
    """Returns the unpaid invoices of all organisations, the oldest first, in a work list's transaction."""
    query = select(_unpaid.c.org_id, _unpaid.c.period_start).order_by(_unpaid.c.unpaid_since, _unpaid.c.org_id)
    return tuple((row.org_id, month_of(row.period_start)) for row in await session.connection.execute(query))
