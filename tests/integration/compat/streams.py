"""Requests and answers of the three APIs, with much that nobody knows."""

from __future__ import annotations

import json
from typing import Any

NAMES = {"messages": "claude-haiku-5-5", "chat": "gpt-6-luna", "responses": "gpt-6-luna"}
TOLD = "as-the-vendor-calls-it"


def written(value: object) -> bytes:
    """Returns JSON, with a number that few write so."""
    return json.dumps(value).replace('"<1.10>"', "1.10").encode()


def event(data: dict[str, Any], *, named: bool = False) -> bytes:
    """Returns a server-sent event, with odd spaces, as nobody else would write it."""
    name = f"event: {data['type']}\n" if named else ""
    return f"{name}data: {json.dumps(data, separators=(', ', ':'))}\n\n".encode()


MESSAGE = [
    event(
        {
            "type": "message_start",
            "message": {
                "id": "msg_1", "type": "message", "role": "assistant", "model": TOLD, "content": [],
                "stop_reason": None, "usage": {"input_tokens": 1000, "output_tokens": 1}, "new": {"thing": [1.50]},
            },
        },
        named=True,
    ),
    event({"type": "ping"}, named=True),
    event({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking", "thinking": ""}}),
    event({"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm"}}),
    event({"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "c2ln"}}),
    event({"type": "content_block_stop", "index": 0}),
    event({"type": "content_block_start", "index": 1, "content_block": {"type": "redacted_thinking", "data": "eA=="}}),
    event({"type": "content_block_stop", "index": 1}),
    event({"type": "content_block_start", "index": 2, "content_block": {"type": "hologram", "light": ""}}),
    event({"type": "content_block_delta", "index": 2, "delta": {"type": "light_delta", "light": "be"}}),
    event({"type": "content_block_stop", "index": 2}),
    event({"type": "nobody_knows", "this": "event"}, named=True),
    event({"type": "content_block_start", "index": 3, "content_block": {"type": "text", "text": ""}}),
    event({"type": "content_block_delta", "index": 3, "delta": {"type": "text_delta", "text": f'"model":"{TOLD}"'}}),
    event({"type": "content_block_stop", "index": 3}),
    event({"type": "content_block_start", "index": 4,
           "content_block": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}}),
    event({"type": "content_block_delta", "index": 4, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}}),
    event({"type": "content_block_delta", "index": 4, "delta": {"type": "input_json_delta", "partial_json": "1}"}}),
    event({"type": "content_block_stop", "index": 4}),
    event({"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 20},
           "context_management": {"applied_edits": []}}),
    event({"type": "message_stop"}, named=True),
]  # fmt: skip
CHUNK: dict[str, Any] = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": TOLD}
USAGE = event(CHUNK | {"choices": [], "usage": {"prompt_tokens": 1000, "completion_tokens": 20, "new": 1}})
COMPLETION = [
    event(CHUNK | {"choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}], "usage": None}),
    event(CHUNK | {"choices": [{"index": 0, "delta": {"content": "Hel"}}], "obfuscation": "x"}),
    event(CHUNK | {"choices": [{"index": 0, "delta": {"content": "lo", "mood": "g"}}]}),
    event(CHUNK | {"choices": [{"index": 0, "delta": {"tool_calls": [
        {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}]}}]}),
    event(CHUNK | {"choices": [{"index": 0, "delta": {"tool_calls": [
        {"index": 0, "function": {"arguments": "{}"}}]}}]}),
    event(CHUNK | {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}),
    USAGE,
    b"data: [DONE]\n\n",
]  # fmt: skip
HEAD: dict[str, Any] = {"id": "resp_1", "object": "response", "model": TOLD, "status": "in_progress", "output": []}
REASONING = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA="}
SAID = {"type": "message", "id": "msg_1", "role": "assistant", "content": [{"type": "output_text", "text": "Hello"}]}
ENDED = HEAD | {
    "status": "completed",
    "output": [REASONING, SAID],
    "usage": {"input_tokens": 1000, "output_tokens": 20},
}
RESPONSE = [
    event({"type": "response.created", "sequence_number": 0, "response": HEAD}, named=True),
    event({"type": "response.output_item.added", "output_index": 0, "item": REASONING | {"encrypted_content": None}}),
    event({"type": "response.output_item.done", "output_index": 0, "item": REASONING}),
    event({"type": "response.brand_new", "sequence_number": 3, "what": {"ever": 1.0}}, named=True),
    event({"type": "response.output_text.delta", "output_index": 1, "delta": "Hello", "obfuscation": "x"}, named=True),
    event({"type": "response.output_item.done", "output_index": 1, "item": SAID}, named=True),
    event({"type": "response.completed", "sequence_number": 6, "response": ENDED}, named=True),
]
ASKED: dict[str, dict[str, Any]] = {
    "messages": {
        "model": NAMES["messages"], "max_tokens": 2000, "stream": True,
        "context_management": {"edits": [{"type": "x"}]},
        "system": [{"type": "text", "text": "Be.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi", "unknown": "<1.10>"}]}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "defer_loading": False}], "brand_new": {"a": None},
    },
    "chat": {
        "model": NAMES["chat"], "stream": True, "messages": [{"role": "user", "content": "Hi", "unknown": "<1.10>"}],
        "stream_options": {"include_obfuscation": False, "include_usage": True}, "brand_new": {"a": None},
    },
    "responses": {
        "model": NAMES["responses"], "stream": True,
        "input": [{"type": "brand_new_item", "unknown": "<1.10>"}, REASONING],
        "store": False, "include": ["reasoning.encrypted_content"], "prompt_cache_key": "k", "brand_new": {"a": None},
        "tools": [{"type": "custom", "name": "apply_patch", "format": {"type": "grammar"}}, {"type": "local_shell"}],
    },
}  # fmt: skip
ANSWERS = {"messages": MESSAGE, "chat": COMPLETION, "responses": RESPONSE}

FAILURES = {
    "messages": event(
        {"type": "error", "error": {"type": "overloaded_error", "message": "Over", "n": 1.50}}, named=True
    ),
    "chat": event({"error": {"message": "Over", "type": "server_error", "n": 1.50}}),
    "responses": event({"type": "response.failed", "response": HEAD | {"error": {"code": "server_error", "n": 1.50}}}),
}
BEFORE = {"messages": 4, "chat": 3, "responses": 5}


def named(api: str, data: bytes) -> bytes:
    """Returns an answer with the model's id that the caller used."""
    return data.replace(b'"model":"' + TOLD.encode() + b'"', f'"model":"{NAMES[api]}"'.encode())
