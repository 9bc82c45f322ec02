"""The work list of lost generations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Column, Table, Uuid, func, select, tuple_

from aichat_server.core.database.session import PlatformSession
from aichat_server.core.database.tables import Time, metadata
from aichat_server.generations.domain.generation import GenerationKey, OrphanedKey

_leases = Table(
    "leases",
    metadata,
    Column("org_id", Uuid, primary_key=True),
    Column("generation_id", Uuid, primary_key=True),
    Column("expires_at", Time, nullable=False),
)


async def list_orphans(
    session: PlatformSession, now: datetime, limit: int, after: OrphanedKey | None
) -> Sequence[OrphanedKey]:
    """Returns at most `limit` generations whose lease had expired at `now`, the oldest first, starting after `after`.

    Leases go by the database's clock. So a job whose own clock is ahead ends no generation too early.
    """
    place = (_leases.c.expires_at, _leases.c.org_id, _leases.c.generation_id)
    query = select(*place).where(_leases.c.expires_at <= func.least(now, func.now()))
    if after is not None:
        query = query.where(tuple_(*place) > tuple_(after.expired_at, *after.key))
    rows = (await session.connection.execute(query.order_by(*place).limit(limit))).all()
    return [OrphanedKey(GenerationKey(row.org_id, row.generation_id), row.expires_at) for row in rows]
