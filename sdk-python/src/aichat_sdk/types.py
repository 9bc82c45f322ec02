"""The contract's messages that the calls take and return, and helpers to read them.

`ChatEvent` is one event of an answer's stream: exactly one of its fields `started`, `text_delta`, `reasoning_delta`,
`usage`, `heartbeat` and `completed` is not None.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal, NotRequired, Required, TypedDict

from aichat_sdk._proto.aichat.v1 import (
    ChatCompleted,
    ChatStarted,
    ChatUsage,
    Conversation,
    ErrorReason,
    GenerationState,
    Heartbeat,
    Invoice,
    InvoiceLineKind,
    InvoiceStage,
    InvoiceStatus,
    LatencyPercentiles,
    Message,
    MessageState,
    Model,
    ModelAbilities,
    ModelPrice,
    NotificationSettings,
    Part,
    PaymentMethod,
    Plan,
    PlanRates,
    QuotaPeriod,
    QuotaScope,
    QuotaState,
    ReasoningDelta,
    ReasoningEffort,
    Role,
    StopReason,
    Subscription,
    SubscriptionStatus,
    TextDelta,
    TextPart,
    Usage,
    UsageError,
    UsageEvent,
    UsageRow,
    UsageTotals,
    VerifiedLine,
)
from aichat_sdk._proto.aichat.v1 import QueryUsageResponse as UsageReport
from aichat_sdk._proto.aichat.v1 import StreamChatResponse as ChatEvent
from aichat_sdk._proto.aichat.v1 import VerifyInvoiceResponse as InvoiceProof
from aichat_sdk._proto.google.type import Money

__all__ = [
    "ChatCompleted",
    "ChatEvent",
    "ChatParams",
    "ChatStarted",
    "ChatUsage",
    "Conversation",
    "Effort",
    "ErrorReason",
    "GenerationState",
    "Heartbeat",
    "Invoice",
    "InvoiceLineKind",
    "InvoiceProof",
    "InvoiceStage",
    "InvoiceStatus",
    "LatencyPercentiles",
    "Message",
    "MessageState",
    "Model",
    "ModelAbilities",
    "ModelPrice",
    "Money",
    "NotificationSettings",
    "Part",
    "PaymentMethod",
    "Plan",
    "PlanRates",
    "QuotaPeriod",
    "QuotaScope",
    "QuotaState",
    "ReasoningDelta",
    "ReasoningEffort",
    "Role",
    "StopReason",
    "Subscription",
    "SubscriptionStatus",
    "TextDelta",
    "TextPart",
    "Usage",
    "UsageError",
    "UsageEvent",
    "UsageReport",
    "UsageRow",
    "UsageTotals",
    "VerifiedLine",
    "cost_usd",
    "input_tokens",
    "message_text",
    "money_usd",
]

Effort = Literal["none", "low", "medium", "high"]
"""How much a model should reason before it answers."""

_NANO = Decimal(1).scaleb(-9)


class ChatParams(TypedDict):
    """The keyword arguments of `client.chat.stream` and `client.chat.send`.

    The server has defaults for those left out.
    """

    model: Required[str]
    """The model to ask, an id from `client.models.list()`."""
    text: NotRequired[str | None]
    """The message, if it is only text."""
    parts: NotRequired[list[Part] | None]
    """The message's content, instead of `text`."""
    conversation_id: NotRequired[str | None]
    """The conversation to continue. None: a new one begins."""
    parent_message_id: NotRequired[str | None]
    """The message that this one follows. None: the last one of the conversation's newest branch."""
    request_id: NotRequired[str | None]
    """A UUID that makes the call safe to repeat. None: a new one is made."""
    max_output_tokens: NotRequired[int | None]
    """The most tokens that the answer may have."""
    temperature: NotRequired[float | None]
    """How random the model's choice of words is, from 0 to 2."""
    stop: NotRequired[str | list[str] | None]
    """Ends the answer before any of these sequences: at most 4."""
    system_prompt: NotRequired[str | None]
    """Instructions that precede the conversation, such as background and behaviour."""
    reasoning_effort: NotRequired[Effort | None]
    """How much the model should reason."""
    cancel_on_disconnect: NotRequired[bool]
    """Whether to cancel the answer when its reader stops early, or its connection breaks."""


def cost_usd(message: Message | ChatUsage) -> Decimal | None:
    """Returns the cost in US dollars, exact to the nano-dollar; None if there is none, as on a user's message."""
    return None if message.cost is None else money_usd(message.cost)


def input_tokens(usage: Usage | None) -> int:
    """Returns the number of all input tokens, cached or not."""
    if usage is None:
        return 0
    cached = usage.cache_read_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens
    return usage.input_tokens + cached


def money_usd(money: Money | None) -> Decimal:
    """Returns an amount of US dollars, exact to the nano-dollar; 0 if it is absent."""
    return Decimal(0) if money is None else money.units + money.nanos * _NANO


def message_text(message: Message) -> str:
    """Returns the text of all parts of a message, in order."""
    return "\n\n".join(part.text.text for part in message.parts if part.text is not None)
