"""What the organisation used, and what that cost."""

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
"""What usage can be told apart by."""

_Export = v1.ExportUsageEventsResponse


class Usage:
    """`client.usage`. Times have a time zone; a range includes its start and not its end, at most 400 days later."""

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
        """Sums, exact to the last turn that has ended, by time and by what used it.

        `bucket` cuts the range in a time zone, an IANA name; empty is the organisation's. By the hour or by
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
        """How far every quota of the organisation, its members and its keys is used up."""
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
        """What is on the books, the oldest first; 0 is the server's page size."""

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
        """The same events as a CSV file, in pieces to be written one after the other; `timeout` is for all of it."""
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
    # A text is a sequence of texts, too.
    if isinstance(group_by, str) or not isinstance(group_by, Sequence):
        raise refusal("group_by", 'must be a list, such as ["model"]')
    return [member(v1.UsageDimension, one, f"group_by[{number}]") for number, one in enumerate(group_by)]


def _given(moment: datetime, field: str) -> datetime:
    # The contract's message can leave a time out, these calls cannot.
    if not isinstance(moment, datetime):
        raise refusal(field, f"must be a datetime, not {type(moment).__name__}")
    return moment
