"""What can go wrong, sorted by what the caller can do about it.

AIChatError                   any of the following
├── ConfigurationError        pass the client a valid API key and endpoint; nothing was sent
├── InvalidRequestError       change the request
│   ├── ArgumentError         change the argument that it names; nothing was sent
│   └── RequestTooLargeError  send less
├── AuthenticationError       use another API key
├── PermissionDeniedError     ask the platform's operator for access
├── NotFoundError             name another model, conversation or invoice, as `reason` says
├── ConflictError             use a new `request_id`, or change what already exists, as `reason` says
├── QuotaExceededError        ask for a shorter answer, wait until the quota resets, or have it raised
├── RateLimitError            wait for `retry_after` seconds, then call again; or subscribe to a larger plan
├── ProviderError             ask another model, or the same one later
├── BillingError              pay another way, or change the request; nothing was done
├── AnswerRefusedError        ask something else
├── AnswerInvalidError        ask again, or another model: the answer does not follow the schema
├── ToolRoundsExceededError   allow more rounds, or answer the last calls yourself
├── AnswerCancelledError      nothing: somebody cancelled the answer
├── NotResumableError         read the message that `metadata` names: it is stored, and its stream has expired
├── UnavailableError          call again later
│   └── ConnectionFailedError check endpoint and network, then call again
├── DeadlineExceededError     allow more time
├── ClosedError               keep the client or the stream open while it is in use
└── ServerError               report the error's `request_id` to the platform's operator
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aichat_sdk._proto.aichat.v1 import Message

__all__ = [
    "AIChatError",
    "AnswerCancelledError",
    "AnswerInvalidError",
    "AnswerRefusedError",
    "ArgumentError",
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
    "ToolRoundsExceededError",
    "UnavailableError",
]


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """One field of a request that breaks a rule, and the rule."""

    field: str
    description: str


class AIChatError(Exception):
    """A call failed. `str(error)` is its message, which says what is wrong and how to fix it."""

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
        """The name of the gRPC status, for example "NOT_FOUND"; None if the failure is the client's own."""
        self.metadata = dict(metadata or {})
        """The metadata that the contract documents for the reason, for example {"model": "gpt-0"}."""
        self.retry_after = retry_after
        """The seconds to wait before a retry; None if unknown."""
        self.violations = tuple(violations)
        """The fields of the request that break a rule."""
        self.generation_id = self.metadata.get("generation_id")
        """The answer's id, for `client.chat.resume` and `client.chat.cancel`; None if no answer had begun."""
        self.conversation_id = self.metadata.get("conversation_id")
        """The conversation in which the partial answer is stored; None if unknown."""
        self.request_id = request_id
        """The server's id of the call, which finds it in the logs; None if the call did not reach the server."""


class ConfigurationError(AIChatError, ValueError):
    """The client has no valid API key or endpoint; nothing was sent."""


class InvalidRequestError(AIChatError):
    """The request breaks a rule of the contract, or the model does not support it."""


class ArgumentError(InvalidRequestError, TypeError, ValueError):
    """An argument has a wrong type or value, or there is no such option; nothing was sent."""


class RequestTooLargeError(InvalidRequestError):
    """The request, or the response, is larger than the limit."""


class AuthenticationError(AIChatError):
    """The API key is missing, wrong, expired or revoked."""


class PermissionDeniedError(AIChatError):
    """The caller is known but may not do this."""


class NotFoundError(AIChatError):
    """It does not exist in the caller's organisation; `reason` says what: a model, a conversation, an invoice."""


class ConflictError(AIChatError):
    """It exists already: a `request_id` used before with other parameters, or a subscription."""


class QuotaExceededError(AIChatError):
    """The answer could bring spending above a quota; `metadata` says which, what is left, and when it resets."""


class RateLimitError(AIChatError):
    """The call exceeds a limit of the plan; `metadata` names the limit, and `retry_after` says when to call again."""


class ProviderError(AIChatError):
    """The model's vendor failed, or refused the request; `reason` and `metadata["provider"]` say more."""


class BillingError(AIChatError):
    """Billing failed: `reason` says whether the card, the request or the subscription is wrong."""


class AnswerRefusedError(AIChatError):
    """The model, or its vendor's safety filter, declined to answer."""


class AnswerInvalidError(AIChatError):
    """The answer does not follow the request's `response_format` or `output_type`; it is stored, and charged."""


class ToolRoundsExceededError(AIChatError):
    """The model still calls tools after the last round of `run_tools`; nothing has answered its last calls."""

    def __init__(self, rounds: int, answer: Message) -> None:
        ids = {"generation_id": answer.generation_id, "conversation_id": answer.conversation_id}
        super().__init__(f"the model still calls tools after {rounds} rounds", metadata=ids)
        self._rounds = rounds
        self.answer = answer
        """The last answer, with the calls that have no results."""

    def __reduce__(self) -> tuple[object, ...]:
        # Otherwise a pickled one would be made of its message alone.
        return type(self), (self._rounds, self.answer), self.__dict__


class AnswerCancelledError(AIChatError):
    """The answer was cancelled; what had arrived is stored."""


class NotResumableError(AIChatError):
    """The answer has ended and its events have expired; the message that `metadata` names is stored."""


class UnavailableError(AIChatError):
    """The platform cannot serve the call now; the same call may succeed after `retry_after`."""


class ConnectionFailedError(UnavailableError):
    """The platform is unreachable, or the connection broke."""


class DeadlineExceededError(AIChatError):
    """The call did not end within its `timeout`."""


class ClosedError(AIChatError):
    """The client or the stream was closed while it was still in use."""


class ServerError(AIChatError):
    """The platform failed, or sent an invalid response."""
