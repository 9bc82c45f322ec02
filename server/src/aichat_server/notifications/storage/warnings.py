"""Stores quota warnings: created when they become due, claimed for sending, and settled."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, delete, func, or_, select, text, update
from sqlalchemy.dialects.postgresql import insert

from aichat_server.core.database.session import Repository
from aichat_server.notifications.domain.warnings import ClaimedWarning, QuotaUse, QuotaWarning, WarningState
from aichat_server.notifications.storage.tables import quota_warnings as table
from aichat_server.quotas.domain import QuotaName, QuotaPeriod, QuotaScope

# The current period, and the one that ended within the last day, so that one run a day misses nothing. A quota that was
# set since had no such period.
_USES = text(
    """
    SELECT
        q.scope, q.scope_id, q.period, p.period_start, p.period_end,
        coalesce(q.hard_nano_usd, q.soft_nano_usd) AS limit_nano_usd,
        q.hard_nano_usd IS NOT NULL AS refuses,
        aichat.charged(:org_id, q.scope, q.scope_id, p.period_start, p.period_end) AS used_nano_usd
    FROM aichat.quotas_in_force(:org_id) AS q
    CROSS JOIN LATERAL (
        SELECT DISTINCT
            date_trunc(q.period, m.moment AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' AS period_start,
            (date_trunc(q.period, m.moment AT TIME ZONE 'UTC') + ('1 ' || q.period)::interval) AT TIME ZONE 'UTC'
                AS period_end
        FROM (VALUES (cast(:now AS timestamptz)), (cast(:now AS timestamptz) - interval '24 hours')) AS m (moment)
    ) AS p
    WHERE q.updated_at < p.period_end AND coalesce(q.hard_nano_usd, q.soft_nano_usd) > 0
    ORDER BY q.scope, q.scope_id, q.period, p.period_start
    """
)
_RECIPIENT = text(
    """
    SELECT o.name, coalesce(nullif(u.email, ''), o.contact_email) AS address, coalesce(s.quota_warnings, true) AS wanted
    FROM aichat.organizations AS o
    LEFT JOIN aichat.users AS u ON u.user_id = :member_id
    LEFT JOIN aichat.notification_settings AS s ON s.org_id = o.org_id AND s.member_id = :member_id
    WHERE o.org_id = :org_id
    """
)


class WarningRepository(Repository):
    """One organisation's quota warnings."""

    async def uses(self, now: datetime) -> tuple[QuotaUse, ...]:
        """Returns the use of each quota, in its period at `now` and in one that ended the day before."""
        rows = await self._connection.execute(_USES, {"org_id": self._org_id, "now": now})
        return tuple(_use(row) for row in rows)

    async def note(self, member_id: UUID, use: QuotaUse) -> UUID | None:
        """Stores the highest threshold that is reached as pending, and those below as covered.

        Stored ones stay, except for lower pending ones that nobody is sending. Returns the id of the pending one, or
        None if it is not new.
        """
        *lower, highest = use.thresholds()
        noted = [self._row(member_id, use, threshold, WarningState.COVERED) for threshold in lower]
        noted.append(self._row(member_id, use, highest, WarningState.PENDING))
        added = await self._connection.execute(
            insert(table).values(noted).on_conflict_do_nothing().returning(table.c.threshold)
        )
        below = [row["warning_id"] for row in noted[:-1]]
        await self._connection.execute(
            update(table)
            .where(self._pending(), table.c.warning_id.in_(below))
            .values(state=WarningState.COVERED.value, settled_at=func.now())
        )
        return noted[-1]["warning_id"] if highest in set(added.scalars()) else None

    async def known(self, warning_ids: Collection[UUID]) -> set[UUID]:
        """Returns which of `warning_ids` are stored already."""
        query = select(table.c.warning_id).where(table.c.org_id == self._org_id, table.c.warning_id.in_(warning_ids))
        return set((await self._connection.execute(query)).scalars())

    async def pending(self) -> tuple[UUID, ...]:
        """Returns the warnings that are neither sent nor being sent, the oldest first."""
        query = select(table.c.warning_id).where(self._pending()).order_by(table.c.noted_at, table.c.warning_id)
        return tuple((await self._connection.execute(query)).scalars())

    async def is_pending(self, warning_id: UUID) -> bool:
        """Whether it is still to be sent, or is being sent."""
        query = select(table.c.state).where(table.c.org_id == self._org_id, table.c.warning_id == warning_id)
        return (await self._connection.execute(query)).scalar_one_or_none() == WarningState.PENDING.value

    async def claim(self, warning_id: UUID, lease: timedelta) -> ClaimedWarning | None:
        """Claims a pending warning for `lease`; returns None if another process was faster."""
        change = update(table).where(self._pending(), table.c.warning_id == warning_id)
        change = change.values(claimed_until=func.clock_timestamp() + lease).returning(table)
        row = (await self._connection.execute(change)).one_or_none()
        if row is None:
            return None
        told = (await self._connection.execute(_RECIPIENT, {"org_id": self._org_id, "member_id": row.member_id})).one()
        warning = QuotaWarning(self._org_id, row.member_id, row.threshold, _use(row))
        return ClaimedWarning(warning, told.name, told.address, told.wanted)

    async def settle(self, warning_id: UUID, state: WarningState) -> None:
        """Stores the final state of a claimed warning."""
        pending = table.c.state == WarningState.PENDING.value
        change = update(table).where(table.c.org_id == self._org_id, table.c.warning_id == warning_id, pending)
        await self._connection.execute(change.values(state=state.value, settled_at=func.now()))

    async def release(self, warning_id: UUID) -> None:
        """Releases a claim."""
        change = update(table).where(table.c.org_id == self._org_id, table.c.warning_id == warning_id)
        await self._connection.execute(change.values(claimed_until=None))

    async def forget(self, before: datetime) -> int:
        """Deletes the warnings of periods that began before then, except pending ones; returns their number."""
        gone = (table.c.period_start < before, table.c.state != WarningState.PENDING.value)
        return (await self._connection.execute(delete(table).where(table.c.org_id == self._org_id, *gone))).rowcount

    def _pending(self) -> ColumnElement[bool]:
        free = or_(table.c.claimed_until.is_(None), table.c.claimed_until <= func.clock_timestamp())
        return (table.c.org_id == self._org_id) & (table.c.state == WarningState.PENDING.value) & free

    def _row(self, member_id: UUID, use: QuotaUse, threshold: int, state: WarningState) -> dict[str, Any]:
        return {
            "org_id": self._org_id,
            "warning_id": QuotaWarning(self._org_id, member_id, threshold, use).id,
            "member_id": member_id,
            "scope": use.name.scope.value,
            "scope_id": use.name.id,
            "period": use.name.period.value,
            "period_start": use.period_start,
            "period_end": use.period_end,
            "threshold": threshold,
            "limit_nano_usd": use.limit,
            "refuses": use.refuses,
            "used_nano_usd": use.used,
            "state": state.value,
            "settled_at": None if state is WarningState.PENDING else func.now(),
        }


def _use(row: Row[tuple[object, ...]]) -> QuotaUse:
    return QuotaUse(
        QuotaName(QuotaScope(row.scope), row.scope_id, QuotaPeriod(row.period)),
        row.period_start,
        row.period_end,
        row.limit_nano_usd,
        row.refuses,
        row.used_nano_usd,
    )
