"""The blocks of a Messages request, in the order in which Anthropic reads them: tools, system, messages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from . import media
from .asked import tokens

PATCH = 28
MOST_IMAGE_TOKENS = 4_784
PAGE_TOKENS = 2_000
URL_TOKENS = 1_600


@dataclass(frozen=True, slots=True)
class Block:
    """A block: what is counted of it, and where the cache may find it."""

    kind: str
    texts: tuple[str, ...]
    media_tokens: int
    told: str
    """All that makes it different from another."""
    breaks: bool
    """Whether the cache is written behind it."""

    @property
    def tokens(self) -> int:
        """What it is counted as."""
        return tokens(self.texts) + self.media_tokens


def listed(content: Any) -> list[dict[str, Any]]:
    """Returns the blocks of a content, which may be a text."""
    if isinstance(content, str):
        return [{"type": "text", "text": content}] if content else []
    return list(content or ())


def blocks(body: Mapping[str, Any]) -> Iterator[Block]:
    """Yields all blocks of a request."""
    for tool in body.get("tools", ()):
        schema = json.dumps(tool.get("input_schema", {}))
        texts = (tool["name"], tool.get("description", ""), schema)
        yield _block("tool", tool, tuple(filter(None, texts)), place="tools")
    for block in listed(body.get("system")):
        yield _block("text", block, (block["text"],), place="system")
    # What changes how messages are read makes all that is cached of them useless.
    mode = json.dumps([body.get("thinking"), body.get("tool_choice")], sort_keys=True)
    for message in body["messages"]:
        for block in listed(message["content"]):
            yield _block(block["type"], block, tuple(texts_of(block)), place=mode + message["role"])


def _block(kind: str, block: Mapping[str, Any], texts: tuple[str, ...], place: str) -> Block:
    told = {name: value for name, value in block.items() if name != "cache_control"}
    return Block(kind, texts, media_tokens(block), place + json.dumps(told, sort_keys=True), "cache_control" in block)


def texts_of(block: Mapping[str, Any]) -> Iterator[str]:  # noqa: C901 — one case for each kind
    """Yields the texts of a block that are counted."""
    match block["type"]:
        case "text":
            yield block["text"]
        case "thinking":
            yield from filter(None, (block["thinking"],))
        case "tool_use":
            yield block["name"]
            yield json.dumps(block["input"])
        case "tool_result":
            for inner in listed(block.get("content")):
                yield from texts_of(inner)
        case "document":
            yield from filter(None, (block.get("title"),))
            if block["source"]["type"] == "text":
                yield block["source"]["data"]
        case "web_search_tool_result":
            yield from (found.get("encrypted_content", "") for found in block["content"])


def media_tokens(block: Mapping[str, Any]) -> int:
    """Returns the tokens of an image or document, or of those in a result."""
    if block.get("type") == "tool_result":
        return sum(media_tokens(inner) for inner in listed(block.get("content")))
    source = block.get("source", {})
    if block.get("type") not in ("image", "document") or source["type"] == "text":
        return 0
    if source["type"] == "url":
        return URL_TOKENS
    data = media.decoded(source["data"])
    if block["type"] == "document":
        return media.pages(data) * PAGE_TOKENS
    width, height = media.image_size(data)
    return min(-(-width // PATCH) * -(-height // PATCH), MOST_IMAGE_TOKENS)


def prefix(body: Mapping[str, Any], messages: int) -> str:
    """Returns what stands for tools, system and the first `messages`: thinking is bound to it."""
    before = []
    for message in body["messages"][:messages]:
        content = [block for block in listed(message["content"]) if "thinking" not in block["type"]]
        before.append([message["role"], [_plain(block) for block in content]])
    told = [[_plain(tool) for tool in body.get("tools", ())], [_plain(s) for s in listed(body.get("system"))], before]
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _plain(block: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in block.items() if name != "cache_control"}
