"""A whole message, put together from the events that tell it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

_OBJECT = msgspec.json.Decoder(dict[str, msgspec.Raw])


def whole_message(events: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Returns the message that the events of a whole stream tell."""
    message: dict[str, Any] = {}
    for event in events:
        match event["type"]:
            case "message_start":
                message = {**event["message"], "content": []}
            case "content_block_start":
                block = event["content_block"]
                # Those of Anthropic's own tools are whole, as they came.
                message["content"].append({**block} if isinstance(block, dict) else block)
            case "content_block_delta":
                _add(message["content"][-1], event["delta"])
            case "content_block_stop":
                block = message["content"][-1]
                if isinstance(block, dict) and block["type"] == "tool_use":
                    block["input"] = input_of(block.pop("told", ""))
            case "message_delta":
                message |= event["delta"]
                message["usage"] = event["usage"]
            case _:
                """It tells nothing of the message."""
    return message


def _add(block: dict[str, Any], delta: dict[str, Any]) -> None:
    match delta["type"]:
        case "text_delta":
            block["text"] += delta["text"]
        case "thinking_delta":
            block["thinking"] += delta["thinking"]
        case "signature_delta":
            block["signature"] += delta["signature"]
        case "input_json_delta":
            block["told"] = block.get("told", "") + delta["partial_json"]
        case "citations_delta":
            block.setdefault("citations", []).append(delta["citation"])


def input_of(told: str) -> Any:
    """Returns a call's arguments; if they are no JSON object, in the form that Anthropic's documents give."""
    if not told.strip():
        return {}
    try:
        _OBJECT.decode(told)
    except (msgspec.MsgspecError, RecursionError):
        return {"INVALID_JSON": told}
    return msgspec.Raw(told.encode())
