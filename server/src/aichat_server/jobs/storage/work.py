"""The work lists: ids and times of all tenants, so that jobs can process them one by one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import DateTime, bindparam, func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from aichat_server.billing.storage.stripe_events import StripeEventStore
from aichat_server.billing.storage.tables import billing_accounts as accounts
from aichat_server.core.database.tables import leases, listed_organizations
from aichat_server.core.periods import Month
from aichat_server.generations.domain.generation import GenerationKey, OrphanedKey
from aichat_server.invoices.storage.unpaid import unpaid_invoices
from aichat_server.jobs.domain.backlog import Backlog
from aichat_server.jobs.storage.runs import JobRunStore
from aichat_server.outbox.domain import MessageKind, OutboxMessage
from aichat_server.outbox.storage import due_messages

_BACKLOG = text(
    """
    SELECT
        (SELECT count(*) FROM aichat.leases WHERE expires_at <= now()) AS orphans,
        (SELECT count(*) FROM aichat.open_hours WHERE hour + interval '1 hour' <= :now) AS closed_hours,
        (SELECT count(*) FROM aichat.stripe_events WHERE due_at <= :now) AS due_webhooks,
        (SELECT count(*) FROM aichat.stripe_events WHERE parked_at IS NOT NULL) AS parked_webhooks,
        (SELECT count(*) FROM aichat.billing_accounts WHERE grace_ends_at <= :now) AS ended_graces,
        (SELECT count(*) FROM aichat.outbox WHERE due_at <= :now) AS due_messages,
        (SELECT count(*) FROM aichat.blocked_invoices) AS blocked_invoices,
        (SELECT count(*) FROM aichat.unpaid_invoices) AS unpaid_invoices,
        (SELECT coalesce(sum(charged_nano_usd), 0)::bigint FROM aichat.free_usage
            WHERE period_start = date_trunc('month', :now, 'UTC')) AS free_plan_used,
        (SELECT nano_usd FROM aichat.platform_limits WHERE name = 'free_plan') AS free_plan_limit,
        (SELECT min(hour) + interval '1 hour' FROM aichat.open_hours WHERE hour + interval '1 hour' <= :now)
            AS behind_since
    """
).bindparams(bindparam("now", type_=DateTime(timezone=True)))
_HOLDS = text("SELECT open_holds, expired_holds FROM aichat.count_holds()")


class WorkList:
    """What is to be done, and for which organisation."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection
        self.stripe_events = StripeEventStore(connection)
        self.job_runs = JobRunStore(connection)

    async def organizations(self, after: UUID | None = None, limit: int | None = None) -> tuple[UUID, ...]:
        """Returns every organisation, or at most `limit` of those after `after`, in the order of their ids."""
        query = select(listed_organizations.c.org_id).order_by(listed_organizations.c.org_id).limit(limit)
        if after is not None:
            query = query.where(listed_organizations.c.org_id > after)
        return tuple((await self._connection.execute(query)).scalars())

    async def customers_organization(self, customer_id: str) -> UUID | None:
        """Returns the organisation of a customer at the payment provider; None if none of ours has it."""
        query = select(accounts.c.org_id).where(accounts.c.customer_id == customer_id)
        return (await self._connection.execute(query)).scalar_one_or_none()

    async def grace_over(self, now: datetime) -> tuple[UUID, ...]:
        """Returns the organisations that are past due and whose grace period has ended."""
        query = select(accounts.c.org_id).where(accounts.c.grace_ends_at <= now).order_by(accounts.c.grace_ends_at)
        return tuple((await self._connection.execute(query)).scalars())

    async def unpaid_invoices(self) -> tuple[tuple[UUID, Month], ...]:
        """Returns the unpaid invoices: organisation and month."""
        return await unpaid_invoices(self._connection)

    async def due_messages(self, now: datetime, limit: int, kinds: Collection[MessageKind]) -> Sequence[OutboxMessage]:
        """Returns at most `limit` due messages of the outbox, the longest due first."""
        return await due_messages(self._connection, now, limit, kinds)

    async def backlog(self, now: datetime) -> Backlog:
        """Returns the backlog at `now`."""
        values = (await self._connection.execute(_BACKLOG, {"now": now})).one()._asdict()
        values |= (await self._connection.execute(_HOLDS)).one()._asdict()
        since = values.pop("behind_since")
        return Backlog(**values, ledger_lag_seconds=(now - since).total_seconds() if since else 0.0)

    async def orphans(self, now: datetime, limit: int, after: OrphanedKey | None) -> Sequence[OrphanedKey]:
        """Returns at most `limit` generations whose lease had expired at `now`, the oldest first, after `after`.

        The leases use the database's clock, which decides: a job whose own clock is ahead ends none too early.
        """
        place = (leases.c.expires_at, leases.c.org_id, leases.c.generation_id)
        query = select(*place).where(leases.c.expires_at <= func.least(now, func.now()))
        if after is not None:
            query = query.where(tuple_(*place) > tuple_(after.expired_at, *after.key))
        rows = (await self._connection.execute(query.order_by(*place).limit(limit))).all()
        return [OrphanedKey(GenerationKey(row.org_id, row.generation_id), row.expires_at) for row in rows]
