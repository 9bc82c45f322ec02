"""Shows what an answer holds besides its text."""

from __future__ import annotations

from aichat_sdk.cli._context import Context
from aichat_sdk.cli._parts import described, show_sources
from aichat_sdk.cli._terminal import dollars
from aichat_sdk.types import Message, StopReason, Usage, cost_usd, input_tokens


def show_end(context: Context, message: Message) -> None:
    """Shows tool calls, sources, and a line with tokens and cost; for programs the whole message."""
    if context.json:
        context.document(message=message)
        return
    for part in message.parts:
        if part.tool_call is not None:
            context.terminal.note(described(part))
    show_sources(context.terminal, message)
    context.terminal.note(_summary(message))


def _summary(message: Message) -> str:
    usage, cost = message.usage or Usage(), cost_usd(message)
    about = "about " if usage.estimated else ""
    facts = [message.model, f"{about}{input_tokens(usage)} + {usage.output_tokens} tokens"]
    if cost is not None:
        facts.append(dollars(cost))
    if message.stop_reason is StopReason.MAX_TOKENS:
        facts.append("cut at its token limit")
    elif message.stop_reason is StopReason.TOOL_USE:
        facts.append("calls tools")
    elif message.stop_reason is StopReason.OTHER:
        facts.append("perhaps incomplete")
    return " · ".join([*facts, f"conversation {message.conversation_id}"])
