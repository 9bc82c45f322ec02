"""What can go wrong, by what a caller would do about it.

AIChatError                   anything below
├── ConfigurationError        give the client an API key and an endpoint that it can use; nothing was sent
├── InvalidRequestError       change the request
│   └── RequestTooLargeError  send less
├── AuthenticationError       use another API key
├── PermissionDeniedError     ask whoever runs the platform for access
├── NotFoundError             name another one of what `reason` says that there is none of
├── ConflictError             use a new `request_id`; or change what there is already, as `reason` says
├── QuotaExceededError        ask for a shorter answer, wait until the quota resets, or have it raised
├── RateLimitError            wait for `retry_after` seconds, then call again; or ask for a larger plan
├── ProviderError             ask another model, or the same one later
├── BillingError              pay another way, or change what is asked of billing: it was not done
├── AnswerRefusedError        ask something else
├── AnswerCancelledError      nothing: somebody cancelled the answer
├── NotResumableError         read the message that `metadata` names: it is stored, and its stream is gone
├── UnavailableError          call again later
│   └── ConnectionFailedError check endpoint and network, then call again
├── DeadlineExceededError     allow more time
├── ClosedError               keep the client or the stream open for as long as it is used
└── ServerError               tell whoever runs the platform, with the error's `request_id`
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = [
    "AIChatError",
    "AnswerCancelledError",
    "AnswerRefusedError",
    "AuthenticationError",
    "BillingError",
    "ClosedError",
    "ConfigurationError",
    "ConflictError",
    "ConnectionFailedError",
    "DeadlineExceededError",
    "FieldViolation",
    "InvalidRequestError",
    "NotFoundError",
    "NotResumableError",
    "PermissionDeniedError",
    "ProviderError",
    "QuotaExceededError",
    "RateLimitError",
    "RequestTooLargeError",
    "ServerError",
    "UnavailableError",
]


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request that breaks a rule, and how."""

    field: str
    description: str


class AIChatError(Exception):
    """A call failed. `str(error)` is its message, which says what is wrong and what to do about it."""

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        status: str | None = None,
        metadata: Mapping[str, str] | None = None,
        retry_after: float | None = None,
        violations: Sequence[FieldViolation] = (),
        request_id: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        """The name of an `ErrorReason`, for example "MODEL_UNKNOWN"; None if the server named none."""
        self.status = status
        """The name of the gRPC status, for example "NOT_FOUND"; None if the failure lies on this side."""
        self.metadata = dict(metadata or {})
        """What the reason is documented to carry, for example {"model": "gpt-0"}."""
        self.retry_after = retry_after
        """Seconds after which it is worth trying again; None if nobody knows."""
        self.violations = tuple(violations)
        """The fields of the request that break a rule."""
        self.generation_id = self.metadata.get("generation_id")
        """The answer that it is about, for `client.chat.resume` and `client.chat.cancel`; None if none had begun."""
        self.conversation_id = self.metadata.get("conversation_id")
        """The conversation that it is about, in which what had arrived is found; None if nobody knows."""
        self.request_id = request_id
        """The server's name for the call, which finds it in the logs; None if the call did not get that far."""


class ConfigurationError(AIChatError):
    """The client has no API key or endpoint that it can use; nothing was sent."""


class InvalidRequestError(AIChatError):
    """The request breaks a rule of the contract, or asks the model for what it cannot do."""


class RequestTooLargeError(InvalidRequestError):
    """The request, or what was to be read in answer, is larger than is taken."""


class AuthenticationError(AIChatError):
    """The API key is missing, wrong, expired or revoked."""


class PermissionDeniedError(AIChatError):
    """The caller is known and may not do this."""


class NotFoundError(AIChatError):
    """There is none in the caller's organisation; `reason` says of what: a model, a conversation, an invoice."""


class ConflictError(AIChatError):
    """It is there already: the `request_id`, used before with other parameters, or a subscription."""


class QuotaExceededError(AIChatError):
    """The answer could bring spending above a quota; `metadata` says which, what is left, and when it resets."""


class RateLimitError(AIChatError):
    """The plan allows no more now; `metadata` names the limit, and `retry_after` says when there is room."""


class ProviderError(AIChatError):
    """The model's vendor failed, or did not take the request; `reason` and `metadata["provider"]` say more."""


class BillingError(AIChatError):
    """Billing did not do it: the card, the request or the subscription will not do; `reason` says which."""


class AnswerRefusedError(AIChatError):
    """The model, or its vendor's safety filter, declined to answer."""


class AnswerCancelledError(AIChatError):
    """The answer was cancelled; what had arrived is stored."""


class NotResumableError(AIChatError):
    """The answer has ended and its events are not kept any more; the message that `metadata` names is stored."""


class UnavailableError(AIChatError):
    """The platform cannot take the call now; the same call may well succeed after `retry_after`."""


class ConnectionFailedError(UnavailableError):
    """The platform was not reached, or the connection broke."""


class DeadlineExceededError(AIChatError):
    """The call did not end within its `timeout`."""


class ClosedError(AIChatError):
    """The client or the stream was closed while it was still in use."""


class ServerError(AIChatError):
    """The platform failed, or answered what makes no sense."""
