"""Checks that the input of a response is whole: something is asked, and each call of a tool has its result."""

from __future__ import annotations

from collections.abc import Sequence

from aichat_server.content.parts import Part, Role, TextPart, ToolCallPart, ToolResultPart
from aichat_server.core.errors import invalid_request
from aichat_server.core.texts import is_blank
from aichat_server.providers.domain.requests import PathMessage


def check_messages(messages: Sequence[PathMessage]) -> None:
    """Raises REQUEST_INVALID for a conversation that no model can answer."""
    calls, results = set[str](), set[str]()
    for message in messages:
        calls |= {part.call_id for part in message.parts if isinstance(part, ToolCallPart)}
        results |= {part.call_id for part in message.parts if isinstance(part, ToolResultPart)}
    for call_id in sorted(results - calls):
        raise invalid_request("input", f"has no tool call for the function call output with call_id {call_id}")
    for call_id in sorted(calls - results):
        raise invalid_request("input", f"has no tool output for the function call {call_id}")
    if not any(message.role is Role.USER and any(map(_is_said, message.parts)) for message in messages):
        raise invalid_request("input", "must hold a message of the user that is not blank")


def _is_said(part: Part) -> bool:
    return not isinstance(part, ToolResultPart) and not (isinstance(part, TextPart) and is_blank(part.text))
