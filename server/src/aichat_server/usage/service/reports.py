"""The usage of the caller's organisation: reports, quotas, and the ledger itself."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from datetime import datetime

from aichat_server.core.database.database import Database
from aichat_server.core.errors import AichatError, FieldViolation, Reason
from aichat_server.core.pages import Page, PageKey
from aichat_server.core.time_zones import load_zone
from aichat_server.identity.domain.principals import Principal
from aichat_server.identity.service.directory import Directory
from aichat_server.quotas.domain import Quota
from aichat_server.quotas.service import list_quotas
from aichat_server.usage.domain.periods import bounds
from aichat_server.usage.domain.reports import MOST_ROWS, UsageEvent, UsageQuery, UsageReport, UsageRow
from aichat_server.usage.storage.usage import UsageRepository

_EVENTS_AT_ONCE = 1000


class UsageReports:
    """The usage of the caller's organisation, which all its members may read."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def query(self, principal: Principal, query: UsageQuery) -> UsageReport:
        """Returns sums; raises REQUEST_INVALID for a time zone that does not exist, and for too many rows."""
        async with self._database.session(principal.org_id, principal.actor) as session:
            zone_name = query.time_zone or await Directory(session).time_zone()
            pieces = _pieces(query, zone_name)
            found = await UsageRepository(session).totals(pieces, query.group_by, latency=query.latency)
        if found is None:
            description = f"gives more than {MOST_ROWS} rows: choose a shorter range, a longer bucket or fewer groups"
            raise _invalid("group_by", description)
        total = found.pop(None)
        rows = [
            UsageRow(pieces[group.piece], pieces[group.piece + 1], group.values, totals)
            for group, totals in found.items()
            if group is not None
        ]
        return UsageReport(tuple(sorted(rows, key=lambda row: (row.start, row.group))), total, zone_name)

    async def quotas(self, principal: Principal) -> tuple[Quota, ...]:
        """Returns every quota of the organisation, its members and its keys."""
        async with self._database.session(principal.org_id, principal.actor) as session:
            return await list_quotas(session)

    async def events(
        self, principal: Principal, start: datetime, end: datetime, limit: int, after: PageKey | None = None
    ) -> Page[UsageEvent]:
        """Returns at most `limit` events from `start` on and before `end`, the oldest first, after the key `after`."""
        async with self._database.session(principal.org_id, principal.actor) as session:
            return await UsageRepository(session).events(start, end, limit, after)

    async def all_events(
        self, principal: Principal, start: datetime, end: datetime
    ) -> AsyncGenerator[tuple[UsageEvent, ...], None]:
        """Yields the events of the range in batches, the oldest first; holds no transaction while they are read."""
        page = await self.events(principal, start, end, _EVENTS_AT_ONCE)
        yield page.items
        while page.next:
            page = await self.events(principal, start, end, _EVENTS_AT_ONCE, page.next)
            yield page.items


def _pieces(query: UsageQuery, zone_name: str) -> tuple[datetime, ...]:
    try:
        return bounds(query.start, query.end, query.bucket, load_zone(zone_name))
    except ValueError as cause:
        raise _invalid("time_zone", str(cause)) from cause


def _invalid(field: str, description: str) -> AichatError:
    message = f"the request is not valid: {field} {description}"
    return AichatError(Reason.REQUEST_INVALID, message, violations=[FieldViolation(field, description)])
