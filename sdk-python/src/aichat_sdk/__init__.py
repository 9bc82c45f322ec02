"""The typed client of the AI chat platform: Claude, OpenAI and Gemini through one interface."""

from aichat_sdk import types
from aichat_sdk._output import TypedAnswer
from aichat_sdk._runs import ToolRun
from aichat_sdk._stream import AnswerStream, ChatStream
from aichat_sdk._tls import TLS
from aichat_sdk._version import __version__
from aichat_sdk.client import AsyncAIChat
from aichat_sdk.content import Audio, Document, Image, ToolResult
from aichat_sdk.errors import (
    AIChatError,
    AnswerCancelledError,
    AnswerInvalidError,
    AnswerRefusedError,
    ArgumentError,
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
    ToolRoundsExceededError,
    UnavailableError,
)
from aichat_sdk.paging import Page, Pager
from aichat_sdk.sync.client import AIChat
from aichat_sdk.tools import Tool
from aichat_sdk.types import citations, cost_usd, message_text, reasoning_text, tool_calls

__all__ = [
    "TLS",
    "AIChat",
    "AIChatError",
    "AnswerCancelledError",
    "AnswerInvalidError",
    "AnswerRefusedError",
    "AnswerStream",
    "ArgumentError",
    "AsyncAIChat",
    "Audio",
    "AuthenticationError",
    "BillingError",
    "ChatStream",
    "ClosedError",
    "ConfigurationError",
    "ConflictError",
    "ConnectionFailedError",
    "DeadlineExceededError",
    "Document",
    "FieldViolation",
    "Image",
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
    "Tool",
    "ToolResult",
    "ToolRoundsExceededError",
    "ToolRun",
    "TypedAnswer",
    "UnavailableError",
    "__version__",
    "citations",
    "cost_usd",
    "message_text",
    "reasoning_text",
    "tool_calls",
    "types",
]
