"""Turns the status of a failed call into the exception that callers see. No other module does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import betterproto2
import grpc

from aichat_sdk import errors
from aichat_sdk._encoding import decode
from aichat_sdk._proto.google.rpc import BadRequest, ErrorInfo, RetryInfo, Status

BY_REASON: dict[str, type[errors.AIChatError]] = {
    "CREDENTIALS_MISSING": errors.AuthenticationError,
    "CREDENTIALS_INVALID": errors.AuthenticationError,
    "CREDENTIALS_EXPIRED": errors.AuthenticationError,
    "CREDENTIALS_REVOKED": errors.AuthenticationError,
    "ORIGIN_NOT_ALLOWED": errors.PermissionDeniedError,
    "ANONYMOUS_NOT_ALLOWED": errors.PermissionDeniedError,
    "SIGN_IN_UNAVAILABLE": errors.UnavailableError,
    "REQUEST_INVALID": errors.InvalidRequestError,
    "REQUEST_MALFORMED": errors.InvalidRequestError,
    "METADATA_TOO_LARGE": errors.RequestTooLargeError,
    "PAGE_TOKEN_INVALID": errors.InvalidRequestError,
    "OPTION_UNSUPPORTED": errors.InvalidRequestError,
    "REQUEST_TOO_LARGE": errors.RequestTooLargeError,
    "RATE_LIMITED": errors.RateLimitError,
    "PART_UNSUPPORTED": errors.InvalidRequestError,
    "FILE_INVALID": errors.InvalidRequestError,
    "MODEL_UNKNOWN": errors.NotFoundError,
    "CONVERSATION_NOT_FOUND": errors.NotFoundError,
    "MESSAGE_NOT_FOUND": errors.NotFoundError,
    "REQUEST_ID_REUSED": errors.ConflictError,
    "GENERATION_IN_PROGRESS": errors.UnavailableError,
    "GENERATION_NOT_FOUND": errors.NotFoundError,
    "GENERATION_NOT_RESUMABLE": errors.NotResumableError,
    "GENERATION_CANCELLED": errors.AnswerCancelledError,
    "MODEL_NOT_IN_PLAN": errors.PermissionDeniedError,
    "FILE_NOT_FOUND": errors.NotFoundError,
    "TOOL_RESULTS_MISMATCHED": errors.InvalidRequestError,
    "CONTEXT_EXCEEDED": errors.InvalidRequestError,
    "MODEL_UNSUITABLE": errors.InvalidRequestError,
    "QUOTA_EXCEEDED": errors.QuotaExceededError,
    "FREE_PLAN_EXHAUSTED": errors.QuotaExceededError,
    "QUOTA_CHECK_FAILED": errors.UnavailableError,
    "UNSUBSCRIBE_TOKEN_INVALID": errors.InvalidRequestError,
    "PROVIDER_NOT_CONFIGURED": errors.ProviderError,
    "PROVIDER_CREDENTIALS_REJECTED": errors.ProviderError,
    "PROVIDER_MODEL_MISSING": errors.ProviderError,
    "PROVIDER_REQUEST_REJECTED": errors.ProviderError,
    "PROVIDER_RATE_LIMITED": errors.ProviderError,
    "PROVIDER_OVERLOADED": errors.ProviderError,
    "PROVIDER_UNAVAILABLE": errors.ProviderError,
    "PROVIDER_TIMEOUT": errors.ProviderError,
    "PROVIDER_STREAM_BROKEN": errors.ProviderError,
    "PROVIDER_EMPTY_ANSWER": errors.ProviderError,
    "ANSWER_REFUSED": errors.AnswerRefusedError,
    "ANSWER_INVALID": errors.AnswerInvalidError,
    "BILLING_UNAVAILABLE": errors.UnavailableError,
    "BILLING_NOT_CONFIGURED": errors.BillingError,
    "BILLING_OBJECT_MISSING": errors.NotFoundError,
    "BILLING_REQUEST_REJECTED": errors.BillingError,
    "PAYMENT_DECLINED": errors.BillingError,
    "WEBHOOK_INVALID": errors.InvalidRequestError,
    "OWNER_REQUIRED": errors.PermissionDeniedError,
    "PLAN_UNKNOWN": errors.NotFoundError,
    "SUBSCRIPTION_MISSING": errors.BillingError,
    "SUBSCRIPTION_EXISTS": errors.ConflictError,
    "SEATS_EXCEEDED": errors.BillingError,
    "INVOICE_NOT_FOUND": errors.NotFoundError,
    "SERVER_DRAINING": errors.UnavailableError,
    "SERVER_LOST": errors.UnavailableError,
    "FILES_UNAVAILABLE": errors.UnavailableError,
    "FILES_NOT_CONFIGURED": errors.ServerError,
    "STORAGE_UNAVAILABLE": errors.UnavailableError,
    "INTERNAL": errors.ServerError,
    "ROUTE_UNKNOWN": errors.NotFoundError,
    "SERVER_UNAVAILABLE": errors.UnavailableError,
}

# For statuses without a known reason: they come from gRPC itself, from a proxy, or from a newer server.
BY_STATUS: dict[grpc.StatusCode, type[errors.AIChatError]] = {
    grpc.StatusCode.CANCELLED: errors.ConnectionFailedError,
    grpc.StatusCode.UNKNOWN: errors.ServerError,
    grpc.StatusCode.INVALID_ARGUMENT: errors.InvalidRequestError,
    grpc.StatusCode.DEADLINE_EXCEEDED: errors.DeadlineExceededError,
    grpc.StatusCode.NOT_FOUND: errors.NotFoundError,
    grpc.StatusCode.ALREADY_EXISTS: errors.ConflictError,
    grpc.StatusCode.PERMISSION_DENIED: errors.PermissionDeniedError,
    grpc.StatusCode.UNAUTHENTICATED: errors.AuthenticationError,
    grpc.StatusCode.RESOURCE_EXHAUSTED: errors.RequestTooLargeError,
    grpc.StatusCode.FAILED_PRECONDITION: errors.InvalidRequestError,
    grpc.StatusCode.ABORTED: errors.ConflictError,
    grpc.StatusCode.UNIMPLEMENTED: errors.ServerError,
    grpc.StatusCode.OUT_OF_RANGE: errors.InvalidRequestError,
    # The platform's own INTERNAL has a reason. One without it is a stream that the network reset.
    grpc.StatusCode.INTERNAL: errors.ConnectionFailedError,
    grpc.StatusCode.UNAVAILABLE: errors.ConnectionFailedError,
    grpc.StatusCode.DATA_LOSS: errors.ServerError,
}


@dataclass(slots=True)
class _Details:
    """The details of a `google.rpc.Status`, beyond status and message."""

    reason: str | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    retry_after: float | None = None
    violations: list[errors.FieldViolation] = field(default_factory=list)


def error_of(failure: grpc.aio.AioRpcError, endpoint: str) -> errors.AIChatError:
    """Returns the exception for a call to `endpoint` that ended with a status other than OK."""
    details = _details(failure)
    kind = BY_REASON.get(details.reason or "") or BY_STATUS[failure.code()]
    return kind(
        _message(kind, failure, endpoint) if details.reason is None else failure.details() or details.reason,
        reason=details.reason,
        status=failure.code().name,
        metadata=details.metadata,
        retry_after=details.retry_after,
        violations=details.violations,
        request_id=_header(failure, "x-request-id"),
    )


def _message(kind: type[errors.AIChatError], failure: grpc.aio.AioRpcError, endpoint: str) -> str:
    said = failure.details() or "it gave no reason"
    if failure.code() is grpc.StatusCode.INTERNAL:
        return f"the connection to {endpoint} broke: {said}"
    if kind is errors.ConnectionFailedError:
        return f"no connection to {endpoint}: {said}"
    if kind is errors.DeadlineExceededError:
        return f"{endpoint} did not finish the call within its timeout"
    return f"{endpoint} ended the call with {failure.code().name}: {said}"


def _details(failure: grpc.aio.AioRpcError) -> _Details:
    details = _Details()
    for detail in _unpacked(failure):
        match detail:
            case ErrorInfo(domain="aichat.v1"):
                details.reason, details.metadata = detail.reason, detail.metadata
            case RetryInfo() if detail.retry_delay is not None:
                details.retry_after = detail.retry_delay.total_seconds()
            case BadRequest():
                details.violations = [
                    errors.FieldViolation(violation.field, violation.description)
                    for violation in detail.field_violations
                ]
    return details


def _unpacked(failure: grpc.aio.AioRpcError) -> Iterator[betterproto2.Message]:
    """Yields the details that the exceptions carry; none if they cannot be decoded."""
    kinds: dict[str, type[betterproto2.Message]] = {
        "google.rpc.ErrorInfo": ErrorInfo,
        "google.rpc.RetryInfo": RetryInfo,
        "google.rpc.BadRequest": BadRequest,
    }
    packed = (failure.trailing_metadata() or {}).get("grpc-status-details-bin")
    if not isinstance(packed, bytes):
        return
    try:
        for detail in decode(Status, packed).details:
            kind = kinds.get(detail.type_url.rpartition("/")[2])
            if kind is not None:
                yield decode(kind, detail.value)
    except (errors.ServerError, AttributeError):
        # The decoder raises on some malformed messages and leaves fields unset in others.
        return


def _header(failure: grpc.aio.AioRpcError, name: str) -> str | None:
    for metadata in (failure.initial_metadata(), failure.trailing_metadata()):
        value = (metadata or {}).get(name)
        if isinstance(value, str):
            return value
    return None
