"""The only table from failures to gRPC statuses, and the status that carries the details."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, QuotaFailure, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from aichat_server.core.errors import AichatError, Reason

ERROR_DOMAIN = "aichat.v1"
DETAILS_KEY = "grpc-status-details-bin"

# Clients accept 8 KiB of trailers by default, so a status names only the first violations.
_MOST_VIOLATIONS = 16

STATUS_CODES: Mapping[Reason, StatusCode] = MappingProxyType(
    {
        Reason.CREDENTIALS_MISSING: StatusCode.UNAUTHENTICATED,
        Reason.CREDENTIALS_INVALID: StatusCode.UNAUTHENTICATED,
        Reason.CREDENTIALS_EXPIRED: StatusCode.UNAUTHENTICATED,
        Reason.CREDENTIALS_REVOKED: StatusCode.UNAUTHENTICATED,
        Reason.ORIGIN_NOT_ALLOWED: StatusCode.PERMISSION_DENIED,
        Reason.ANONYMOUS_NOT_ALLOWED: StatusCode.PERMISSION_DENIED,
        Reason.SIGN_IN_UNAVAILABLE: StatusCode.UNAVAILABLE,
        Reason.REQUEST_INVALID: StatusCode.INVALID_ARGUMENT,
        Reason.REQUEST_MALFORMED: StatusCode.INVALID_ARGUMENT,
        Reason.METADATA_TOO_LARGE: StatusCode.INVALID_ARGUMENT,
        Reason.PAGE_TOKEN_INVALID: StatusCode.INVALID_ARGUMENT,
        Reason.OPTION_UNSUPPORTED: StatusCode.INVALID_ARGUMENT,
        Reason.REQUEST_TOO_LARGE: StatusCode.RESOURCE_EXHAUSTED,
        Reason.RATE_LIMITED: StatusCode.RESOURCE_EXHAUSTED,
        Reason.PART_UNSUPPORTED: StatusCode.INVALID_ARGUMENT,
        Reason.FILE_INVALID: StatusCode.INVALID_ARGUMENT,
        Reason.MODEL_UNKNOWN: StatusCode.NOT_FOUND,
        Reason.CONVERSATION_NOT_FOUND: StatusCode.NOT_FOUND,
        Reason.MESSAGE_NOT_FOUND: StatusCode.NOT_FOUND,
        Reason.REQUEST_ID_REUSED: StatusCode.ALREADY_EXISTS,
        Reason.GENERATION_IN_PROGRESS: StatusCode.ABORTED,
        Reason.GENERATION_NOT_FOUND: StatusCode.NOT_FOUND,
        Reason.GENERATION_NOT_RESUMABLE: StatusCode.FAILED_PRECONDITION,
        Reason.GENERATION_CANCELLED: StatusCode.CANCELLED,
        Reason.MODEL_NOT_IN_PLAN: StatusCode.FAILED_PRECONDITION,
        Reason.FILE_NOT_FOUND: StatusCode.NOT_FOUND,
        Reason.TOOL_RESULTS_MISMATCHED: StatusCode.FAILED_PRECONDITION,
        Reason.CONTEXT_EXCEEDED: StatusCode.FAILED_PRECONDITION,
        Reason.MODEL_UNSUITABLE: StatusCode.INVALID_ARGUMENT,
        Reason.QUOTA_EXCEEDED: StatusCode.RESOURCE_EXHAUSTED,
        Reason.QUOTA_CHECK_FAILED: StatusCode.UNAVAILABLE,
        Reason.FREE_PLAN_EXHAUSTED: StatusCode.RESOURCE_EXHAUSTED,
        Reason.UNSUBSCRIBE_TOKEN_INVALID: StatusCode.INVALID_ARGUMENT,
        Reason.PROVIDER_NOT_CONFIGURED: StatusCode.FAILED_PRECONDITION,
        Reason.PROVIDER_CREDENTIALS_REJECTED: StatusCode.FAILED_PRECONDITION,
        Reason.PROVIDER_MODEL_MISSING: StatusCode.FAILED_PRECONDITION,
        Reason.PROVIDER_REQUEST_REJECTED: StatusCode.INVALID_ARGUMENT,
        Reason.PROVIDER_RATE_LIMITED: StatusCode.UNAVAILABLE,
        Reason.PROVIDER_OVERLOADED: StatusCode.UNAVAILABLE,
        Reason.PROVIDER_UNAVAILABLE: StatusCode.UNAVAILABLE,
        Reason.PROVIDER_TIMEOUT: StatusCode.UNAVAILABLE,
        Reason.PROVIDER_STREAM_BROKEN: StatusCode.UNAVAILABLE,
        Reason.PROVIDER_EMPTY_ANSWER: StatusCode.UNAVAILABLE,
        Reason.ANSWER_REFUSED: StatusCode.FAILED_PRECONDITION,
        Reason.ANSWER_INVALID: StatusCode.FAILED_PRECONDITION,
        Reason.BILLING_UNAVAILABLE: StatusCode.UNAVAILABLE,
        Reason.BILLING_NOT_CONFIGURED: StatusCode.FAILED_PRECONDITION,
        Reason.BILLING_OBJECT_MISSING: StatusCode.NOT_FOUND,
        Reason.BILLING_REQUEST_REJECTED: StatusCode.FAILED_PRECONDITION,
        Reason.PAYMENT_DECLINED: StatusCode.FAILED_PRECONDITION,
        Reason.WEBHOOK_INVALID: StatusCode.INVALID_ARGUMENT,
        Reason.OWNER_REQUIRED: StatusCode.PERMISSION_DENIED,
        Reason.PLAN_UNKNOWN: StatusCode.NOT_FOUND,
        Reason.SUBSCRIPTION_MISSING: StatusCode.FAILED_PRECONDITION,
        Reason.SUBSCRIPTION_EXISTS: StatusCode.ALREADY_EXISTS,
        Reason.SEATS_EXCEEDED: StatusCode.FAILED_PRECONDITION,
        Reason.INVOICE_NOT_FOUND: StatusCode.NOT_FOUND,
        Reason.SERVER_DRAINING: StatusCode.UNAVAILABLE,
        Reason.SERVER_LOST: StatusCode.UNAVAILABLE,
        Reason.FILES_UNAVAILABLE: StatusCode.UNAVAILABLE,
        Reason.FILES_NOT_CONFIGURED: StatusCode.FAILED_PRECONDITION,
        Reason.STORAGE_UNAVAILABLE: StatusCode.UNAVAILABLE,
        Reason.INTERNAL: StatusCode.INTERNAL,
        # Only the edge sends these; their messages are in envoy/edge_errors.py.
        Reason.ROUTE_UNKNOWN: StatusCode.NOT_FOUND,
        Reason.SERVER_UNAVAILABLE: StatusCode.UNAVAILABLE,
    }
)


def internal_error(request_id: str) -> AichatError:
    """Returns the error for a fault of ours: it only says how to find the fault in the logs."""
    return AichatError(Reason.INTERNAL, f"the server failed; its logs tell why under request id {request_id}")


def to_status(error: AichatError) -> Status:
    """Returns the status as the contract documents it: always with ErrorInfo, and other details if they apply."""
    info = ErrorInfo(reason=error.reason.value, domain=ERROR_DOMAIN, metadata=error.metadata)
    status = Status(code=STATUS_CODES[error.reason].value[0], message=error.message, details=[_packed(info)])
    if error.retry_after is not None:
        delay = Duration()
        delay.FromNanoseconds(round(error.retry_after * 1_000_000_000))
        status.details.append(_packed(RetryInfo(retry_delay=delay)))
    if error.quota_subject is not None:
        violation = QuotaFailure.Violation(subject=error.quota_subject, description=error.message)
        status.details.append(_packed(QuotaFailure(violations=[violation])))
    if error.violations:
        fields = [
            BadRequest.FieldViolation(field=violation.field, description=violation.description)
            for violation in error.violations[:_MOST_VIOLATIONS]
        ]
        status.details.append(_packed(BadRequest(field_violations=fields)))
    return status


def _packed(detail: ErrorInfo | RetryInfo | QuotaFailure | BadRequest) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed
