"""Reads the backlog from the tables of every feature."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import DateTime, bindparam, text

from aichat_server.core.database.session import PlatformSession
from aichat_server.jobs.domain.backlog import Backlog

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


async def read_backlog(session: PlatformSession, now: datetime) -> Backlog:
    """Returns the backlog at `now`."""
    values = (await session.connection.execute(_BACKLOG, {"now": now})).one()._asdict()
    values |= (await session.connection.execute(_HOLDS)).one()._asdict()
    since = values.pop("behind_since")
    return Backlog(**values, ledger_lag_seconds=(now - since).total_seconds() if since else 0.0)
