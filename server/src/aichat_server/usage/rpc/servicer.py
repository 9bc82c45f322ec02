"""UsageService over gRPC."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime

from aichat.v1 import usage_pb2 as pb
from aichat.v1.usage_pb2_grpc import UsageServiceServicer, add_UsageServiceServicer_to_server
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.timestamp_pb2 import Timestamp

from aichat_server.core.errors import invalid_request
from aichat_server.identity.service.caller import current_principal
from aichat_server.transport.call import Context
from aichat_server.transport.page_tokens import DEFAULT_PAGE_SIZE, decode_page_token, encode_page_token
from aichat_server.usage.domain import csv as usage_csv
from aichat_server.usage.domain.periods import Bucket
from aichat_server.usage.domain.reports import Dimension, UsageQuery
from aichat_server.usage.rpc.messages import event_to_proto, quota_to_proto, row_to_proto, totals_to_proto
from aichat_server.usage.service.reports import UsageReports

_BUCKETS = {
    pb.USAGE_BUCKET_UNSPECIFIED: None,
    pb.USAGE_BUCKET_HOUR: Bucket.HOUR,
    pb.USAGE_BUCKET_DAY: Bucket.DAY,
    pb.USAGE_BUCKET_MONTH: Bucket.MONTH,
}
_DIMENSIONS = {
    pb.USAGE_DIMENSION_MODEL: Dimension.MODEL,
    pb.USAGE_DIMENSION_PROVIDER: Dimension.PROVIDER,
    pb.USAGE_DIMENSION_MEMBER: Dimension.MEMBER,
    pb.USAGE_DIMENSION_KEY: Dimension.KEY,
    pb.USAGE_DIMENSION_CONVERSATION: Dimension.CONVERSATION,
}
_EVENTS = "usage events"
_CSV = "text/csv; charset=utf-8; header=present"
_DOWNLOAD = (("content-disposition", 'attachment; filename="usage.csv"'),)


class UsageServicer(UsageServiceServicer):
    """Serves an organisation's usage to its members."""

    add_to = add_UsageServiceServicer_to_server

    def __init__(self, usage: UsageReports) -> None:
        self._usage = usage

    async def QueryUsage(  # noqa: N802 — the contract names the methods
        self, request: pb.QueryUsageRequest, _context: Context
    ) -> pb.QueryUsageResponse:
        """Returns sums of usage."""
        query = UsageQuery(
            start=_moment(request.start_time, "start_time"),
            end=_moment(request.end_time, "end_time"),
            bucket=_BUCKETS[request.bucket],
            time_zone=request.time_zone,
            group_by=tuple(_DIMENSIONS[dimension] for dimension in request.group_by),
            latency=request.include_latency,
        )
        report = await self._usage.query(current_principal(), query)
        return pb.QueryUsageResponse(
            rows=[row_to_proto(row, query.group_by) for row in report.rows],
            total=totals_to_proto(report.total),
            time_zone=report.time_zone,
        )

    async def GetQuotas(  # noqa: N802
        self, _request: pb.GetQuotasRequest, _context: Context
    ) -> pb.GetQuotasResponse:
        """Returns the quotas and their current use."""
        quotas = await self._usage.quotas(current_principal())
        return pb.GetQuotasResponse(quotas=[quota_to_proto(quota) for quota in quotas])

    async def ListUsageEvents(  # noqa: N802
        self, request: pb.ListUsageEventsRequest, _context: Context
    ) -> pb.ListUsageEventsResponse:
        """Lists the ledger's events, the oldest first."""
        after = decode_page_token(_EVENTS, request.page_token)
        start, end = _moment(request.start_time, "start_time"), _moment(request.end_time, "end_time")
        size = request.page_size or DEFAULT_PAGE_SIZE
        page = await self._usage.events(current_principal(), start, end, size, after)
        return pb.ListUsageEventsResponse(
            events=[event_to_proto(event) for event in page.items],
            next_page_token=encode_page_token(_EVENTS, page.next) if page.next else "",
        )

    async def ExportUsageEvents(  # noqa: N802
        self, request: pb.ExportUsageEventsRequest, context: Context
    ) -> AsyncGenerator[pb.ExportUsageEventsResponse, None]:
        """Yields the ledger's events as one CSV file."""
        start, end = _moment(request.start_time, "start_time"), _moment(request.end_time, "end_time")
        text = usage_csv.header()
        async with aclosing(self._usage.all_events(current_principal(), start, end)) as pages:
            async for events in pages:
                if text:
                    # Sent only now, so that a failed call is not a download.
                    await context.send_initial_metadata(_DOWNLOAD)
                piece = HttpBody(content_type=_CSV, data=(text + usage_csv.lines(events)).encode())
                yield pb.ExportUsageEventsResponse(piece=piece)
                text = ""


def _moment(value: Timestamp, field: str) -> datetime:
    try:
        return value.ToDatetime(UTC)
    except ValueError as cause:
        raise invalid_request(field, "must have from 0 to 999,999,999 nanoseconds") from cause
