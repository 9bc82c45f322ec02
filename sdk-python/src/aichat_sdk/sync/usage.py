"""The organisation's usage and its cost. Generated from usage.py: do not edit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from aichat_sdk._portal import Portal
from aichat_sdk.sync.paging import Pager
from aichat_sdk.types import QuotaState, UsageEvent, UsageReport
from aichat_sdk.usage import Bucket, Dimension
from aichat_sdk.usage import Usage as AsyncUsage

__all__ = ["Usage"]


class Usage:
    """`client.usage`. Times have a time zone; a range includes its start, excludes its end, and is 400 days at most."""

    def __init__(self, inner: AsyncUsage, portal: Portal) -> None:
        self._inner = inner
        self._portal = portal

    def query(
        self,
        start: datetime,
        end: datetime,
        *,
        bucket: Bucket | None = None,
        group_by: Sequence[Dimension] = (),
        time_zone: str = "",
        include_latency: bool = False,
        timeout: float | None = None,
    ) -> UsageReport:
        """Sums usage by time and by group, exact to the last turn that ended.

        `bucket` divides the range in a time zone, an IANA name; empty is the organisation's. By the hour or by
        conversation the range is 31 days at most.
        """
        return self._portal.run(
            self._inner.query(
                start,
                end,
                bucket=bucket,
                group_by=group_by,
                time_zone=time_zone,
                include_latency=include_latency,
                timeout=timeout,
            )
        )

    def quotas(self, *, timeout: float | None = None) -> list[QuotaState]:
        """Returns every quota of the organisation, its members and its keys, with its current use."""
        return self._portal.run(self._inner.quotas(timeout=timeout))

    def events(
        self, start: datetime, end: datetime, *, page_size: int = 0, page_token: str = "", timeout: float | None = None
    ) -> Pager[UsageEvent]:
        """Lists the ledger's events, the oldest first; page size 0 is the server's default."""
        return Pager(
            self._inner.events(start, end, page_size=page_size, page_token=page_token, timeout=timeout), self._portal
        )

    def export(self, start: datetime, end: datetime, *, timeout: float | None = None) -> Iterator[bytes]:
        """Yields the same events as a CSV file, in pieces to write one after another.

        `timeout` is for the whole file.
        """
        return self._portal.iterate(self._inner.export(start, end, timeout=timeout))
