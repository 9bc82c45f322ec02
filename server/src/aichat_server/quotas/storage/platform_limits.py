"""Stores the limits of the whole platform."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import BigInteger, Column, DateTime, Table, Text, func, select
from sqlalchemy.dialects.postgresql import insert

from aichat_server.core.database.session import PlatformSession
from aichat_server.core.database.tables import metadata
from aichat_server.core.money import NanoUsd
from aichat_server.quotas.domain import PlatformLimit

_limits = Table(
    "platform_limits",
    metadata,
    Column("name", Text, primary_key=True),
    Column("nano_usd", BigInteger, nullable=False),
    Column("updated_at", DateTime(timezone=True), nullable=False),
)


async def set_limits(session: PlatformSession, limits: Mapping[PlatformLimit, NanoUsd]) -> None:
    """Sets the limits from the next turn on; writes nothing if they are unchanged."""
    rows = await session.connection.execute(select(_limits.c.name, _limits.c.nano_usd))
    before = {row.name: row.nano_usd for row in rows}
    for name, amount in limits.items():
        if before.get(name.value) != amount:
            values = {"nano_usd": amount, "updated_at": func.now()}
            change = insert(_limits).values(name=name.value, **values)
            await session.connection.execute(change.on_conflict_do_update(index_elements=[_limits.c.name], set_=values))
