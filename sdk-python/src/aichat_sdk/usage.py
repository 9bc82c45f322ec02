"""What the organisation used, and what that cost."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from functools import partial
from typing import Literal

from aichat_sdk import _methods as methods
from aichat_sdk._encoding import encode
from aichat_sdk._proto.aichat import v1
from aichat_sdk._retry import Deadline, retrying
from aichat_sdk._transport import Reader, Transport
from aichat_sdk.errors import InvalidRequestError
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
            start_time=_aware(start),
            end_time=_aware(end),
            bucket=v1.UsageBucket[bucket.upper()] if bucket else v1.UsageBucket.UNSPECIFIED,
            time_zone=time_zone,
            group_by=[v1.UsageDimension[dimension.upper()] for dimension in group_by],
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
                start_time=_aware(start), end_time=_aware(end), page_size=page_size, page_token=token
            )
            response = await self._transport.call(methods.LIST_USAGE_EVENTS, request, timeout=timeout)
            return Page(response.events, response.next_page_token)

        return Pager(fetch, page_token)

    async def export(self, start: datetime, end: datetime, *, timeout: float | None = None) -> AsyncIterator[bytes]:
        """The same events as a CSV file, in pieces to be written one after the other; `timeout` is for all of it."""
        payload = encode(v1.ExportUsageEventsRequest(start_time=_aware(start), end_time=_aware(end)))
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


def _aware(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise InvalidRequestError("give times with a time zone, such as datetime.now(UTC)")
    return moment
