"""The one exception that users see: a reason of the contract, a public message, and a private cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum, auto

from aichat_server.core.texts import storable


class Reason(StrEnum):
    """Why a call failed; the names of `aichat.v1.ErrorReason` without their prefix, documented there."""

    @staticmethod
    def _generate_next_value_(name: str, *_: object) -> str:
        return name

    CREDENTIALS_MISSING = auto()
    CREDENTIALS_INVALID = auto()
    CREDENTIALS_EXPIRED = auto()
    CREDENTIALS_REVOKED = auto()
    ORIGIN_NOT_ALLOWED = auto()
    ANONYMOUS_NOT_ALLOWED = auto()
    SIGN_IN_UNAVAILABLE = auto()

    REQUEST_INVALID = auto()
    REQUEST_MALFORMED = auto()
    METADATA_TOO_LARGE = auto()
    PAGE_TOKEN_INVALID = auto()
    OPTION_UNSUPPORTED = auto()
    REQUEST_TOO_LARGE = auto()
    RATE_LIMITED = auto()
    PART_UNSUPPORTED = auto()
    FILE_INVALID = auto()

    MODEL_UNKNOWN = auto()
    CONVERSATION_NOT_FOUND = auto()
    MESSAGE_NOT_FOUND = auto()
    REQUEST_ID_REUSED = auto()
    GENERATION_IN_PROGRESS = auto()
    GENERATION_NOT_FOUND = auto()
    GENERATION_NOT_RESUMABLE = auto()
    GENERATION_CANCELLED = auto()
    MODEL_NOT_IN_PLAN = auto()
    FILE_NOT_FOUND = auto()
    TOOL_RESULTS_MISMATCHED = auto()
    CONTEXT_EXCEEDED = auto()
    MODEL_UNSUITABLE = auto()

    QUOTA_EXCEEDED = auto()
    QUOTA_CHECK_FAILED = auto()
    FREE_PLAN_EXHAUSTED = auto()

    UNSUBSCRIBE_TOKEN_INVALID = auto()

    PROVIDER_NOT_CONFIGURED = auto()
    PROVIDER_CREDENTIALS_REJECTED = auto()
    PROVIDER_MODEL_MISSING = auto()
    PROVIDER_REQUEST_REJECTED = auto()
    PROVIDER_RATE_LIMITED = auto()
    PROVIDER_OVERLOADED = auto()
    PROVIDER_UNAVAILABLE = auto()
    PROVIDER_TIMEOUT = auto()
    PROVIDER_STREAM_BROKEN = auto()
    PROVIDER_EMPTY_ANSWER = auto()
    ANSWER_REFUSED = auto()
    ANSWER_INVALID = auto()

    BILLING_UNAVAILABLE = auto()
    BILLING_NOT_CONFIGURED = auto()
    BILLING_OBJECT_MISSING = auto()
    BILLING_REQUEST_REJECTED = auto()
    PAYMENT_DECLINED = auto()
    WEBHOOK_INVALID = auto()
    OWNER_REQUIRED = auto()
    PLAN_UNKNOWN = auto()
    SUBSCRIPTION_MISSING = auto()
    SUBSCRIPTION_EXISTS = auto()
    SEATS_EXCEEDED = auto()
    INVOICE_NOT_FOUND = auto()

    SERVER_DRAINING = auto()
    SERVER_LOST = auto()
    STORAGE_UNAVAILABLE = auto()
    FILES_UNAVAILABLE = auto()
    FILES_NOT_CONFIGURED = auto()
    INTERNAL = auto()
    ROUTE_UNKNOWN = auto()
    SERVER_UNAVAILABLE = auto()


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request that breaks a rule, and the rule."""

    field: str
    description: str


class AichatError(Exception):
    """A failure that the caller may see.

    `message` is public: it says what is wrong and how to fix it, and never contains a secret or another's data.
    Everything else goes into `__cause__` (`raise AichatError(…) from cause`), which only the log shows.
    """

    def __init__(
        self,
        reason: Reason,
        message: str,
        *,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        violations: Sequence[FieldViolation] = (),
        quota_subject: str | None = None,
    ) -> None:
        """`metadata` as documented with the reason; `retry_after` in seconds, if a delay is known to help.

        `quota_subject` names the owner of the exhausted quota, if there is one.
        """
        # It may contain others' text, for example a vendor's.
        message = storable(message)
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.metadata = {name: storable(value) for name, value in (metadata or {}).items()}
        self.retry_after = retry_after
        self.violations = tuple(violations)
        self.quota_subject = quota_subject


def invalid_request(field: str, description: str) -> AichatError:
    """Returns REQUEST_INVALID for one field; `description` follows its name. An empty name means the whole request."""
    violation = FieldViolation(field=field, description=description)
    message = f"the request is not valid: {field or 'it'} {description}"
    return AichatError(Reason.REQUEST_INVALID, message, violations=(violation,))
