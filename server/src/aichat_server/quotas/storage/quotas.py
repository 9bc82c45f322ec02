"""Stores quotas; turns check them on their own."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete as delete_from
from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import insert

from aichat_server.core.database.session import Repository
from aichat_server.core.money import NanoUsd
from aichat_server.quotas.domain import Quota, QuotaName, QuotaPeriod, QuotaScope
from aichat_server.quotas.storage.tables import quota_usage as usage
from aichat_server.quotas.storage.tables import quotas as table

_LIST = text(
    """
    SELECT
        q.*,
        p.starts_at,
        (p.starts_at AT TIME ZONE 'UTC' + ('1 ' || q.period)::interval) AT TIME ZONE 'UTC' AS resets_at,
        now() AS at,
        aichat.charged(:org_id, q.scope, q.scope_id, p.starts_at, 'infinity') AS charged,
        aichat.held(:org_id, q.scope, q.scope_id) AS held
    FROM aichat.quotas_in_force(:org_id) AS q
    CROSS JOIN LATERAL (SELECT date_trunc(q.period, now(), 'UTC') AS starts_at) AS p
    ORDER BY q.scope <> 'organization', q.scope, q.scope_id, q.period
    """
)


class QuotaRepository(Repository):
    """One organisation's quotas."""

    async def set(self, name: QuotaName, hard: NanoUsd | None, soft: NanoUsd | None) -> None:
        """Sets or replaces a quota, and has its use summed from the ledger."""
        await self._own(name)
        limits = {"hard_nano_usd": hard, "soft_nano_usd": soft, "updated_at": func.now()}
        change = insert(table).values(self._key(name) | limits)
        change = change.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=limits)
        await self._connection.execute(change)

    async def remove(self, name: QuotaName) -> bool:
        """Removes a quota; returns False if there is none."""
        await self._own(name)
        of_name = [table.c[column] == value for column, value in self._key(name).items()]
        return (await self._connection.execute(delete_from(table).where(*of_name))).rowcount > 0

    async def list(self) -> tuple[Quota, ...]:
        """Returns every quota, with the charges of its period by the ledger, and what is held now.

        What the plan includes counts as a quota if its limit is hard and the operator has set no other.
        """
        rows = (await self._connection.execute(_LIST, {"org_id": self._org_id})).all()
        return tuple(
            Quota(
                QuotaName(QuotaScope(row.scope), row.scope_id, QuotaPeriod(row.period)),
                row.hard_nano_usd,
                row.soft_nano_usd,
                row.charged,
                row.held,
                row.starts_at,
                row.resets_at,
                row.at,
            )
            for row in rows
        )

    async def forget_periods(self, before: datetime) -> int:
        """Deletes the charges of periods that began before then; returns their number."""
        gone = delete_from(usage).where(usage.c.org_id == self._org_id, usage.c.period_start < before)
        return (await self._connection.execute(gone)).rowcount

    async def _own(self, name: QuotaName) -> None:
        """Waits for turns that are beginning or ending, and deletes the counters; the next turn sums them again."""
        await self._connection.execute(select(func.pg_advisory_xact_lock(func.aichat.quota_lock(self._org_id))))
        of_name = [usage.c[column] == value for column, value in self._key(name).items()]
        await self._connection.execute(delete_from(usage).where(*of_name))

    def _key(self, name: QuotaName) -> dict[str, object]:
        return {"org_id": self._org_id, "scope": name.scope.value, "scope_id": name.id, "period": name.period.value}
