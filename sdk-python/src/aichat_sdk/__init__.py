"""The typed client of the AI chat platform: Claude, OpenAI and Gemini through one interface."""

from aichat_sdk import types
from aichat_sdk._stream import AnswerStream, ChatStream
from aichat_sdk._version import __version__
from aichat_sdk.client import AsyncAIChat
from aichat_sdk.errors import (
    AIChatError,
    AnswerCancelledError,
    AnswerRefusedError,
    AuthenticationError,
    BillingError,
    ClosedError,
    ConfigurationError,
    ConflictError,
    ConnectionFailedError,
    DeadlineExceededError,
    FieldViolation,
    InvalidRequestError,
    NotFoundError,
    NotResumableError,
    PermissionDeniedError,
    ProviderError,
    QuotaExceededError,
    RateLimitError,
    RequestTooLargeError,
    ServerError,
    UnavailableError,
)
from aichat_sdk.paging import Page, Pager
from aichat_sdk.types import cost_usd, message_text

__all__ = [
    "AIChatError",
    "AnswerCancelledError",
    "AnswerRefusedError",
    "AnswerStream",
    "AsyncAIChat",
    "AuthenticationError",
    "BillingError",
    "ChatStream",
    "ClosedError",
    "ConfigurationError",
    "ConflictError",
    "ConnectionFailedError",
    "DeadlineExceededError",
    "FieldViolation",
    "InvalidRequestError",
    "NotFoundError",
    "NotResumableError",
    "Page",
    "Pager",
    "PermissionDeniedError",
    "ProviderError",
    "QuotaExceededError",
    "RateLimitError",
    "RequestTooLargeError",
    "ServerError",
    "UnavailableError",
    "__version__",
    "cost_usd",
    "message_text",
    "types",
]
