"""The organisation's usage and its cost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import partial
from typing import Literal

from aichat_sdk import _methods as methods
from aichat_sdk._checking import member, refusal
from aichat_sdk._encoding import encode
from aichat_sdk._proto.aichat import v1
from aichat_sdk._retry import Deadline, retrying
from aichat_sdk._transport import Reader, Transport
from aichat_sdk.paging import Page, Pager
from aichat_sdk.types import QuotaState, UsageEvent, UsageReport

__all__ = ["Bucket", "Dimension", "Usage"]

Bucket = Literal["hour", "day", "month"]
"""A unit of calendar time."""
Dimension = Literal["model", "provider", "member", "key", "conversation"]
"""What usage can be grouped by."""

_Export = v1.ExportUsageEventsResponse


class Usage:
    """`client.usage`. Times have a time zone; a range includes its start, excludes its end, and is 400 days at most."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def query(
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
        request = v1.QueryUsageRequest(
            start_time=_given(start, "start_time"),
            end_time=_given(end, "end_time"),
            bucket=v1.UsageBucket.UNSPECIFIED if bucket is None else member(v1.UsageBucket, bucket, "bucket"),
            time_zone=time_zone,
            group_by=_dimensions(group_by),
            include_latency=include_latency,
        )
        return await self._transport.call(methods.QUERY_USAGE, request, timeout=timeout)

    async def quotas(self, *, timeout: float | None = None) -> list[QuotaState]:
        """Returns every quota of the organisation, its members and its keys, with its current use."""
        response = await self._transport.call(methods.GET_QUOTAS, v1.GetQuotasRequest(), timeout=timeout)
        return response.quotas

    def events(
        self,
        start: datetime,
        end: datetime,
        *,
        page_size: int = 0,
        page_token: str = "",
        timeout: float | None = None,
    ) -> Pager[UsageEvent]:
        """Lists the ledger's events, the oldest first; page size 0 is the server's default."""

        async def fetch(token: str) -> Page[UsageEvent]:
            request = v1.ListUsageEventsRequest(
                start_time=_given(start, "start_time"),
                end_time=_given(end, "end_time"),
                page_size=page_size,
                page_token=token,
            )
            response = await self._transport.call(methods.LIST_USAGE_EVENTS, request, timeout=timeout)
            return Page(response.events, response.next_page_token)

        return Pager(fetch, page_token)

    async def export(self, start: datetime, end: datetime, *, timeout: float | None = None) -> AsyncIterator[bytes]:
        """Yields the same events as a CSV file, in pieces to write one after another.

        `timeout` is for the whole file.
        """
        payload = encode(
            v1.ExportUsageEventsRequest(start_time=_given(start, "start_time"), end_time=_given(end, "end_time"))
        )
        deadline = Deadline.after(timeout)
        retries = self._transport.settings.max_retries
        reader, response = await retrying(partial(self._begin, payload, deadline), retries=retries, deadline=deadline)
        try:
            while response is not None:
                yield response.piece.data if response.piece else b""
                response = await reader.read()
        finally:
            reader.cancel()

    async def _begin(self, payload: bytes, deadline: Deadline) -> tuple[Reader[_Export], _Export | None]:
        reader = self._transport.open_stream(methods.EXPORT_USAGE_EVENTS, payload, deadline)
        return reader, await reader.read()


def _dimensions(group_by: Sequence[Dimension]) -> list[v1.UsageDimension]:
    # A string is a sequence of strings, too.
    if isinstance(group_by, str) or not isinstance(group_by, Sequence):
        raise refusal("group_by", 'must be a list, such as ["model"]')
    return [member(v1.UsageDimension, one, f"group_by[{number}]") for number, one in enumerate(group_by)]


def _given(moment: datetime, field: str) -> datetime:
    # The contract's message may omit a time, these calls may not.
    if not isinstance(moment, datetime):
        raise refusal(field, f"must be a datetime, not {type(moment).__name__}")
    return moment
