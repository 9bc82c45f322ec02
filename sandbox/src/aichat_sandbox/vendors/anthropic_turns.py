"""What Anthropic refuses in the order of a conversation: calls and results, and thinking that comes back."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from .anthropic_blocks import listed, prefix
from .anthropic_checks import TIED


def signed(thinking: str, bound_to: str) -> str:
    """Returns the signature of thinking in a conversation, of which `bound_to` is the beginning."""
    told = json.dumps([hashlib.sha256(thinking.encode("utf-8", "surrogatepass")).hexdigest(), bound_to])
    return base64.b64encode(told.encode()).decode()


def check_turns(body: Mapping[str, Any]) -> None:
    """Raises ValueError with Anthropic's words for the first thing that it would refuse."""
    ids: set[str] = set()
    called: list[str] = []
    for n, message in enumerate(body["messages"]):
        content = listed(message["content"])
        if message["role"] == "user":
            _check_results(content, called, n)
            called = []
            continue
        called = [block["id"] for block in content if block["type"] == "tool_use"]
        if len(ids | set(called)) < len(ids) + len(called):
            raise ValueError(f"messages.{n}: `tool_use` ids must be unique")
        ids |= set(called)
        for block in content:
            _check_thinking(block, body, n)
    _check_searches(body["messages"])
    _check_final(body)


def _check_results(content: Sequence[Mapping[str, Any]], called: Sequence[str], n: int) -> None:
    results = [block["tool_use_id"] for block in content if block["type"] == "tool_result"]
    first = [block["tool_use_id"] for block in content[: len(results)] if block["type"] == "tool_result"]
    if missing := [call for call in called if call not in first]:
        raise ValueError(
            f"messages.{n - 1}: `tool_use` ids were found without `tool_result` blocks immediately after: {missing}"
        )
    if len(set(results)) < len(results):
        raise ValueError(f"messages.{n}: each tool_use must have a single result")
    if unexpected := [call for call in results if call not in called]:
        raise ValueError(f"messages.{n}: unexpected `tool_use_id` found in `tool_result` blocks: {unexpected}")


def _check_thinking(block: Mapping[str, Any], body: Mapping[str, Any], n: int) -> None:
    if block["type"] != "thinking":
        return
    thinking = body.get("thinking") or {}
    try:
        digest, bound_to = json.loads(base64.b64decode(block["signature"], validate=True))
    except ValueError:
        raise ValueError(f"messages.{n}: Invalid `signature` in `thinking` block") from None
    if digest != hashlib.sha256(block["thinking"].encode("utf-8", "surrogatepass")).hexdigest():
        raise ValueError(f"messages.{n}: `thinking` blocks cannot be modified")
    drops = (thinking.get("block_binding") or {}).get("prefix_mismatch_behavior") == "drop_block"
    if body["model"].startswith(TIED) and not drops and bound_to != prefix(body, n):
        raise ValueError(f"messages.{n}: the conversation before the `thinking` block has changed")


def _check_searches(messages: Sequence[Mapping[str, Any]]) -> None:
    """The vendor's own calls have results, but for those of a loop that goes on."""
    blocks = [(n, block) for n, message in enumerate(messages) for block in listed(message["content"])]
    results = {block["tool_use_id"] for _, block in blocks if block["type"] == "web_search_tool_result"}
    calls = {block["id"]: n for n, block in blocks if block["type"] == "server_tool_use"}
    running = any(block["type"] == "tool_result" for block in listed(messages[-1]["content"]))
    for call, n in calls.items():
        if call not in results and not (running and n == len(messages) - 2):
            raise ValueError(f"messages.{n}: web_search tool use with id {call} was found without a result block")
    if results - set(calls):
        raise ValueError("messages: a web_search_tool_result has no server_tool_use")


def _check_final(body: Mapping[str, Any]) -> None:
    """The thinking of the turn that goes on is there if it is on in the manual mode, and is not if it is off."""
    results = [block for block in listed(body["messages"][-1]["content"]) if block["type"] == "tool_result"]
    kind = (body.get("thinking") or {}).get("type")
    if not results or kind not in ("enabled", "disabled"):
        return
    content = listed(body["messages"][-2]["content"])
    if kind == "enabled" and "thinking" not in content[0]["type"]:
        raise ValueError(
            f"messages.{len(body['messages']) - 2}.content.0.type: Expected `thinking` or `redacted_thinking`"
        )
    if kind == "disabled" and any("thinking" in block["type"] for block in content):
        raise ValueError("When thinking is disabled, the final assistant turn must not contain `thinking` blocks")
