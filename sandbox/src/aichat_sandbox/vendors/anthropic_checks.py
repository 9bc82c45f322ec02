"""What Anthropic refuses in a Messages request."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from . import media
from .anthropic_blocks import listed

TIED = ("claude-opus-5-5", "claude-sonnet-5-5", "claude-fable-5-1", "claude-mythos-5-1")
"""These bind their thinking to the conversation before it, and cannot be made to call a tool."""
_SAMPLED = ("claude-3", "claude-opus-4-1", "claude-opus-4-5", "claude-opus-4-6", "claude-sonnet-4-", "claude-haiku-4-")
_SAMPLING, _FIRST = {"temperature", "top_p", "top_k"}, "2023-06-01"
"""Only these models take the sampling parameters, and only in this version."""
_ALWAYS = ("claude-opus-5-5", "claude-fable-", "claude-mythos-")
_FIELDS = {
    "model", "messages", "max_tokens", "stream", "service_tier", "stop_sequences", "system", "tools", "tool_choice",
    "thinking", "output_config", "cache_control", "metadata", "container", "inference_geo", "diagnostics",
}  # fmt: skip
_COUNTED = _FIELDS - {"max_tokens", "stream", "service_tier", "stop_sequences", "metadata", "container"}
_NAME, _ID = re.compile(r"[a-zA-Z0-9_-]{1,128}"), re.compile(r"[a-zA-Z0-9_-]+")
_UNTAKEN = ("minimum", "maximum", "multipleOf", "minLength", "maxLength", "maxItems", "uniqueItems")
_TOOL = {
    "type", "name", "description", "input_schema", "cache_control", "eager_input_streaming", "strict",
    "input_examples", "allowed_callers", "defer_loading",
}  # fmt: skip
_SEARCH = {
    "type", "name", "max_uses", "allowed_domains", "blocked_domains", "user_location", "cache_control",
    "allowed_callers", "defer_loading", "strict", "response_inclusion",
}  # fmt: skip
_EFFORTS = ("low", "medium", "high", "xhigh", "max")
MOST_BREAKPOINTS = 4
MOST_IMAGE_BYTES = 5 << 20
LONGEST_SIDE = 8_000
_IMAGES = ("image/jpeg", "image/png", "image/gif", "image/webp")
_KINDS: dict[str, set[str]] = {
    "text": {"text", "citations"},
    "image": {"source"},
    "document": {"source", "title", "context", "citations"},
    "tool_use": {"id", "name", "input", "caller"},
    "tool_result": {"tool_use_id", "content", "is_error"},
    "thinking": {"thinking", "signature"},
    "redacted_thinking": {"data"},
    "server_tool_use": {"id", "name", "input", "caller"},
    "web_search_tool_result": {"tool_use_id", "content", "caller"},
}
_USERS = {"text", "image", "document", "tool_result"}
_MODELS = {"text", "tool_use", "thinking", "redacted_thinking", "server_tool_use", "web_search_tool_result"}
_ALLOWED = {"user": _USERS, "assistant": _MODELS, "system": {"text"}}


def check(body: Mapping[str, Any], *, counts: bool, version: str = "2026-10-21", betas: str = "") -> None:
    """Raises ValueError with Anthropic's words for the first thing that it would refuse.

    `counts`: it is a request to count tokens. `version`, `betas`: what its headers name.
    """
    allowed = (_COUNTED if counts else _FIELDS) | (_SAMPLING if version == _FIRST else set())
    allowed |= {"context_management"} if "context-management-" in betas else set()
    if extra := set(body) - allowed:
        raise ValueError(f"{min(extra)}: Extra inputs are not permitted")
    if not counts and not (isinstance(body["max_tokens"], int) and body["max_tokens"] > 0):
        raise ValueError("max_tokens: Input should be greater than 0")
    _check_sampling(body)
    _check_thinking(body)
    _check_tools(body)
    _check_output(body)
    for n, block in enumerate(listed(body.get("system"))):
        _check_text(block, f"system.{n}")
    if not body["messages"]:
        raise ValueError("messages: at least one message is required")
    # Instructions may stand anywhere between them.
    said = [message for message in body["messages"] if message["role"] != "system"]
    if not said or said[0]["role"] != "user" or said[-1]["role"] != "user":
        raise ValueError("messages: the first and the last message must use the user role")
    for n, message in enumerate(body["messages"]):
        _check_message(message, f"messages.{n}")
    breakpoints = sum("cache_control" in block for block in _all_blocks(body))
    if breakpoints > MOST_BREAKPOINTS:
        raise ValueError(f"A maximum of 4 blocks with cache_control may be provided. Found {breakpoints}.")


def _all_blocks(body: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from body.get("tools", ())
    for content in (body.get("system"), *(message["content"] for message in body["messages"])):
        for block in listed(content):
            yield block
            yield from listed(block.get("content")) if block["type"] == "tool_result" else ()


def _check_sampling(body: Mapping[str, Any]) -> None:
    told = {name: body[name] for name in _SAMPLING & set(body)}
    if told.get("temperature", 1) != 1 and not body["model"].startswith(_SAMPLED):
        raise ValueError("`temperature` is deprecated for this model.")
    if told.get("temperature", 1) != 1 and (body.get("thinking") or {}).get("type") in ("adaptive", "enabled"):
        raise ValueError("`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.")
    if {"temperature", "top_p"} <= set(told):
        raise ValueError("`temperature` and `top_p` cannot both be specified for this model. Please use only one.")


def _check_thinking(body: Mapping[str, Any]) -> None:
    model, thinking = body["model"], body.get("thinking") or {"type": "adaptive"}
    kind = thinking["type"]
    refused = {
        "disabled": model.startswith((*_ALWAYS, "claude-sonnet-5-5")),
        "enabled": model.startswith(TIED),
        "between_tools": not model.startswith("claude-sonnet-5-5"),
        "adaptive": False,
    }
    if refused[kind]:
        raise ValueError(f'"thinking.type.{kind}" is not supported for this model.')
    allowed = {"adaptive": {"display", "block_binding"}, "enabled": {"budget_tokens", "display"}}.get(kind, set())
    if extra := set(thinking) - allowed - {"type"}:
        raise ValueError(f"thinking.{kind}.{min(extra)}: Extra inputs are not permitted")


def _check_tools(body: Mapping[str, Any]) -> None:
    names = [tool["name"] for tool in body.get("tools", ())]
    for n, tool in enumerate(body.get("tools", ())):
        if not _NAME.fullmatch(tool["name"]):
            raise ValueError(f"tools.{n}.custom.name: String should match pattern '^[a-zA-Z0-9_-]{{1,128}}$'")
        if extra := set(tool) - (_TOOL if "input_schema" in tool else _SEARCH):
            raise ValueError(f"tools.{n}.{min(extra)}: Extra inputs are not permitted")
        if "input_schema" in tool and tool["input_schema"].get("type") != "object":
            raise ValueError(f"tools.{n}.custom.input_schema.type: Field required")
    if len(set(names)) < len(names):
        raise ValueError("tools: Tool names must be unique.")
    if choice := body.get("tool_choice"):
        _check_choice(choice, names, body)
    if not names and any(
        block["type"] in ("tool_use", "tool_result") for block in _all_blocks(body) if "type" in block
    ):
        raise ValueError("Requests which include `tool_use` or `tool_result` blocks must define tools")


def _check_choice(choice: Mapping[str, Any], names: Sequence[str], body: Mapping[str, Any]) -> None:
    if not names:
        raise ValueError("tool_choice may only be specified while providing tools")
    if choice["type"] not in ("any", "tool"):
        return
    if body["model"].startswith(TIED):
        raise ValueError('tool_choice: type "tool" and "any" are not supported for this model.')
    if (body.get("thinking") or {}).get("type") == "enabled":
        raise ValueError("Thinking may not be enabled when tool_choice forces tool use.")
    if choice["type"] == "tool" and choice["name"] not in names:
        raise ValueError(f"Tool '{choice['name']}' not found in provided tools")


def _check_output(body: Mapping[str, Any]) -> None:
    output = body.get("output_config") or {}
    if set(output) - {"effort", "format"} or output.get("effort", "high") not in _EFFORTS:
        raise ValueError("output_config: Extra inputs are not permitted")
    wanted = output.get("format")
    if wanted is None:
        return
    _check_schema(wanted["schema"])
    if any((block.get("citations") or {}) for block in _all_blocks(body) if block.get("type") == "document"):
        raise ValueError("output_config.format: Citations cannot be used together with structured outputs")


def _check_schema(schema: Any) -> None:
    if not isinstance(schema, Mapping):
        return
    if schema.get("type") == "object" and schema.get("additionalProperties") is not False:
        raise ValueError("For 'object' type, 'additionalProperties' must be explicitly set to false")
    if refused := [name for name in _UNTAKEN if name in schema]:
        raise ValueError(f"property '{refused[0]}' is not supported")
    for name in ("properties", "$defs"):
        for inner in schema.get(name, {}).values():
            _check_schema(inner)
    for inner in (schema.get("items"), *schema.get("anyOf", ()), *schema.get("allOf", ())):
        _check_schema(inner)


def _check_message(message: Mapping[str, Any], at: str) -> None:
    content = listed(message["content"])
    if not content:
        raise ValueError(f"{at}: all messages must have non-empty content")
    for n, block in enumerate(content):
        where = f"{at}.content.{n}"
        kind = block["type"]
        if kind not in _ALLOWED[message["role"]]:
            raise ValueError(f"{where}: {kind} blocks are not permitted in {message['role']} messages")
        if message["role"] == "user" and block.get("citations") and kind == "text":
            raise ValueError(f"{where}.citations: Extra inputs are not permitted")
        check_block(block, where)


def check_block(block: Mapping[str, Any], at: str) -> None:  # noqa: C901 — one case for each kind
    """Raises ValueError for what Anthropic refuses in one block."""
    kind = block["type"]
    if extra := set(block) - _KINDS[kind] - {"type", "cache_control"}:
        raise ValueError(f"{at}.{kind}.{min(extra)}: Extra inputs are not permitted")
    if "cache_control" in block and kind.endswith("thinking"):
        raise ValueError(f"{at}.{kind}.cache_control: Extra inputs are not permitted")
    match kind:
        case "text":
            _check_text(block, at)
        case "image":
            _check_image(block["source"], at)
        case "document":
            _check_document(block["source"], at)
        case "tool_use":
            if not _ID.fullmatch(block["id"]) or not isinstance(block["input"], Mapping):
                raise ValueError(f"{at}.tool_use: the id or the input is not valid")
        case "tool_result":
            _check_result(block, at)


def _check_result(block: Mapping[str, Any], at: str) -> None:
    content = listed(block.get("content"))
    if block.get("is_error") and not content:
        raise ValueError(f"{at}.tool_result: content cannot be empty if `is_error` is true")
    for n, inner in enumerate(content):
        if inner["type"] not in ("text", "image", "document"):
            raise ValueError(f"{at}.content.{n}: {inner['type']} is not permitted in a tool_result")
        if block.get("is_error") and inner["type"] != "text":
            raise ValueError(f'{at}.tool_result: all content must be type "text" if `is_error` is true')
        check_block(inner, f"{at}.content.{n}")


def _check_text(block: Mapping[str, Any], at: str) -> None:
    if not block["text"].strip():
        raise ValueError(f"{at}: text content blocks must contain non-whitespace text")


def _check_image(source: Mapping[str, Any], at: str) -> None:
    if source["type"] == "url":
        _check_url(source["url"], at)
        return
    data = media.decoded(source["data"])
    if source["media_type"] not in _IMAGES or media.kind_of(data) != source["media_type"]:
        raise ValueError(f"{at}: Image does not match the provided media type {source['media_type']}")
    if len(data) > MOST_IMAGE_BYTES:
        raise ValueError(f"{at}.image.source.base64: image exceeds 5 MB maximum")
    if max(media.image_size(data)) > LONGEST_SIDE:
        raise ValueError(f"{at}: image dimensions exceed max allowed size: 8000 pixels")


def _check_document(source: Mapping[str, Any], at: str) -> None:
    match source["type"]:
        case "url":
            _check_url(source["url"], at)
        case "text":
            if source["media_type"] != "text/plain" or not source["data"].strip():
                raise ValueError(f"{at}: the text document is empty, or has another media type than text/plain")
        case "base64":
            if source["media_type"] != media.PDF:
                raise ValueError(f"{at}.document.source.base64.media_type: Input should be 'application/pdf'")
            media.pages(media.decoded(source["data"]))


def _check_url(url: str, at: str) -> None:
    if not url.startswith("https://"):
        raise ValueError(f"{at}: Only HTTPS URLs are supported.")
