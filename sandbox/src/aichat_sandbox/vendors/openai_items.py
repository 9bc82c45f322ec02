"""The items of a Responses request, and what OpenAI refuses in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .asked import Said
from .openai_checks import IMAGE_TOKENS, PAGE_TOKENS, check_file, check_image, reasons

CALLS = ("function_call", "custom_tool_call")
RESULTS = ("function_call_output", "custom_tool_call_output")
INPUT = ("input_text", "input_image", "input_file")
SECRET = "known to the stand-in alone"  # noqa: S105 - it protects nothing


def encrypted(item: Mapping[str, Any]) -> str:
    """Returns what the stand-in writes as `encrypted_content`, which depends on the summary."""
    # Codex leaves its id out when it sends it back.
    told = json.dumps([SECRET, [part["text"] for part in item["summary"]]])
    return "gAAAAA" + hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()


class Items:
    """A checked input. Raises ValueError, as its words, for what OpenAI refuses."""

    def __init__(self, told: str | Sequence[Mapping[str, Any]], model: str) -> None:
        self.texts: list[str] = []
        """All texts, in their order; media have short ones of their own."""
        self.said: list[Said] = []
        """The user's messages."""
        self.tools: list[Mapping[str, Any]] = []
        """The tools that the items add to those of the request."""
        self.images = self.documents = 0
        items = [{"role": "user", "content": told}] if isinstance(told, str) else told
        if not items:
            raise ValueError("One of 'input' or 'previous_response_id' must be provided.")
        self._items = items
        self._reasons = reasons(model)
        self._results: list[str] = []
        self._check_calls()
        for n, item in enumerate(items):
            self._take(n, item)
        self._end_round()

    @property
    def media_tokens(self) -> int:
        """The tokens of images and documents."""
        return self.images * IMAGE_TOKENS + self.documents * PAGE_TOKENS

    def _check_calls(self) -> None:
        calls = [item["call_id"] for item in self._items if item.get("type") in CALLS]
        outputs = [item["call_id"] for item in self._items if item.get("type") in RESULTS]
        for call_id in {*outputs} - {*calls}:
            raise ValueError(f"No tool call found for function call output with call_id {call_id}.")
        for call_id in {*calls} - {*outputs}:
            raise ValueError(f"No tool output found for function call {call_id}.")
        for call_id in [*calls, *outputs]:
            if calls.count(call_id) > 1 or outputs.count(call_id) > 1:
                raise ValueError(f"Duplicate item found with call_id {call_id}.")
            if len(call_id) > 64:
                raise ValueError("Invalid 'call_id': string too long. Expected a string with maximum length 64.")

    def _take(self, n: int, item: Mapping[str, Any]) -> None:
        kind = item.get("type", "message")
        if kind not in RESULTS:
            self._end_round()
        match kind:
            case "message":
                self._message(n, item)
            case "function_call" | "custom_tool_call":
                self._check_mark(n, item)
                self.texts += [item["name"], item["arguments"] if kind == "function_call" else item["input"]]
            case "additional_tools":
                self._add_tools(n, item)
            case "function_call_output" | "custom_tool_call_output":
                content = self._content(item["output"], INPUT, n)
                self.texts += content
                self._results += content
            case "reasoning":
                self._check_reasoning(n, item)
            case "web_search_call":
                self.texts.append(json.dumps(item))
            case _:
                raise ValueError(f"Invalid value: '{kind}'. Supported values are: 'message', 'reasoning', …")

    def _add_tools(self, n: int, item: Mapping[str, Any]) -> None:
        if item["role"] != "developer":
            raise ValueError(f"Invalid value: '{item['role']}'. Supported values are: 'developer'. (input[{n}].role)")
        self.tools += item["tools"]

    def _message(self, n: int, item: Mapping[str, Any]) -> None:
        match item["role"]:
            case "user" | "system" | "developer":
                content = self._content(item["content"], INPUT, n)
                if item["role"] == "user":
                    self.said.append(Said(tuple(content)))
            case "assistant":
                content = self._content(item["content"], ("output_text", "refusal"), n)
                self._check_mark(n, item)
            case role:
                raise ValueError(f"Invalid value: '{role}'. Supported values are: 'assistant', 'system', …")
        self.texts += content

    def _content(self, content: str | Sequence[Mapping[str, Any]], kinds: tuple[str, ...], n: int) -> list[str]:
        if isinstance(content, str):
            return [content]
        if not content:
            raise ValueError(f"Invalid 'input[{n}].content': empty array.")
        return [text for part in content for text in self._part(part, kinds, n)]

    def _part(self, part: Mapping[str, Any], kinds: tuple[str, ...], n: int) -> Iterator[str]:
        if part["type"] not in kinds:
            supported = " and ".join(f"'{kind}'" for kind in kinds)
            raise ValueError(
                f"Invalid value: '{part['type']}'. Supported values are: {supported}. (input[{n}].content)"
            )
        match part["type"]:
            case "input_image":
                check_image(part.get("image_url"))
                self.images += 1
                self.texts.append(_short(part))
            case "input_file":
                check_file(part)
                self.documents += 1
                self.texts.append(_short(part))
            case _:
                yield part["text"]

    def _check_mark(self, n: int, item: Mapping[str, Any]) -> None:
        """An item with its id needs the reasoning that led to it."""
        mark = item.get("id", "").partition("_")[2]
        if mark.startswith("r") and not any(other.get("id") == f"rs_{mark[:13]}" for other in self._items[:n]):
            kind = item.get("type", "message")
            raise ValueError(f"Item '{item['id']}' of type '{kind}' was provided without its required 'reasoning' item")

    def _check_reasoning(self, n: int, item: Mapping[str, Any]) -> None:
        if not self._reasons:
            raise ValueError("Reasoning input items can only be provided to a reasoning or computer use model.")
        if item.get("encrypted_content") != encrypted(item):
            raise ValueError(f"The encrypted content for item {item.get('id')} could not be verified.")
        after = self._items[n + 1] if n + 1 < len(self._items) else {}
        is_written = after.get("type") in (*CALLS, "web_search_call", "reasoning")
        if not is_written and after.get("role") != "assistant":
            raise ValueError(
                f"Item '{item.get('id')}' of type 'reasoning' was provided without its required following item."
            )
        self.texts.append(item["encrypted_content"])

    def _end_round(self) -> None:
        if self._results:
            self.said.append(Said(results=tuple(self._results)))
            self._results = []


def _short(part: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(part).encode()).hexdigest()[:8]
