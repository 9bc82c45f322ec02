"""The forms in which answers are told."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, assert_never

import msgspec

from aichat_server.compat.domain.anthropic.marks import ANTHROPIC
from aichat_server.content.parts import Citation, DocumentSource, WebSource
from aichat_server.core.money import NanoUsd, to_decimal
from aichat_server.models.domain.usage import Usage
from aichat_server.providers.domain.events import StopReason

REFUSAL = "refusal"
_STOPS: Mapping[StopReason, str] = MappingProxyType(
    {
        StopReason.END_TURN: "end_turn",
        StopReason.MAX_TOKENS: "max_tokens",
        StopReason.STOP_SEQUENCE: "stop_sequence",
        StopReason.TOOL_USE: "tool_use",
    }
)


def stop_of(reason: StopReason | None, provider: str) -> str:
    """Returns a reason in Anthropic's word."""
    if reason is None or reason is StopReason.OTHER:
        # Anthropic's own answers pause and can be continued; any other may just be incomplete.
        return "pause_turn" if provider == ANTHROPIC else "max_tokens"
    return _STOPS[reason]


def stop_sequence(reason: StopReason | None, asked: tuple[str, ...]) -> str | None:
    """Returns the sequence that ended the answer, if it is known which of those that were asked for."""
    return asked[0] if reason is StopReason.STOP_SEQUENCE and len(asked) == 1 else None


def usage_of(usage: Usage, cost: NanoUsd | None = None) -> dict[str, Any]:
    """Returns a usage, with its cost in USD if it is known."""
    told: dict[str, Any] = {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.output,
    }
    if usage.reasoning:
        told["output_tokens_details"] = {"thinking_tokens": usage.reasoning}
    if usage.web_searches:
        told["server_tool_use"] = {"web_search_requests": usage.web_searches, "web_fetch_requests": 0}
    if cost is not None:
        told["cost"] = msgspec.Raw(format(to_decimal(cost), "f").encode())
    return told


def message_of(message_id: str, model: str, usage: Usage) -> dict[str, Any]:
    """Returns a message before its first word."""
    return {
        "id": message_id,
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage_of(usage),
    }


def citation_of(citation: Citation) -> Any:
    """Returns a citation: Anthropic's own as it was, and others in the form that is closest."""
    if citation.signature is not None and citation.signature.provider == ANTHROPIC:
        return msgspec.Raw(citation.signature.data.encode())
    title = citation.title or None
    told: dict[str, Any]
    match citation.source:
        case WebSource(url):
            told = {"type": "web_search_result_location", "url": url, "title": title, "encrypted_index": ""}
        case DocumentSource(index, first, last):
            told = {"type": "page_location", "document_index": index, "document_title": title}
            told |= {"start_page_number": first or 1, "end_page_number": (last or first or 1) + 1}
        case unknown:
            assert_never(unknown)
    return {**told, "cited_text": citation.quote}
