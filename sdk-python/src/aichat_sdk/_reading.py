"""Reads what messages hold."""

from __future__ import annotations

from decimal import Decimal

from aichat_sdk._proto.aichat.v1 import ChatUsage, Citation, Message, Role, ToolCallPart, Usage
from aichat_sdk._proto.google.type import Money

_NANO = Decimal(1).scaleb(-9)


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
    """Returns the text of all parts of a message, in order.

    An answer's texts are one text, which a search or a tool call may interrupt. Between a user's texts is an empty
    line.
    """
    between = "" if message.role is Role.ASSISTANT else "\n\n"
    return between.join(part.text.text for part in message.parts if part.text is not None)


def tool_calls(message: Message) -> list[ToolCallPart]:
    """Returns the tool calls of an answer, in order."""
    return [part.tool_call for part in message.parts if part.tool_call is not None]


def reasoning_text(message: Message) -> str:
    """Returns the reasoning that the model's vendor shows; empty if it shows none, or if it is folded.

    `client.conversations.list_messages(…, unfold=True)` returns messages with it; a stream has it in its events.
    """
    texts = [part.reasoning.text for part in message.parts if part.reasoning is not None]
    return "\n\n".join(text for text in texts if text)


def citations(message: Message) -> list[Citation]:
    """Returns the sources that an answer cites, in order."""
    return [citation for part in message.parts if part.text is not None for citation in part.text.citations]
