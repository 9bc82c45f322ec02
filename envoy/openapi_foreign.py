"""Describes the calls of other companies' APIs: the contract leaves their bodies and headers to these APIs."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from openapi_schemas import Schema, events
from rpcs import Rpc

_MODEL: Schema = {"type": "string", "description": "The model's id."}
_MESSAGES: Schema = {"type": "array", "items": {"type": "object"}, "description": "The conversation."}
_INPUT: Schema = {"type": ["string", "array"], "items": {}, "description": "What is asked."}
_MAX_TOKENS: Schema = {"type": "integer", "minimum": 1, "description": "The most tokens of the answer."}
_STREAM: Schema = {"type": "boolean", "description": "Whether the answer comes as server-sent events."}
_STORE: Schema = {"type": "boolean", "description": "Whether it can be returned later. Default: it cannot."}
_HELLO = [{"role": "user", "content": "Hello"}]
# By RPC: what a body must have, with an example of it. Their own documents describe the rest.
_REQUIRED: Mapping[str, Mapping[str, tuple[Schema, Any]]] = MappingProxyType(
    {
        "CreateChatCompletion": {"model": (_MODEL, "gpt-6-luna"), "messages": (_MESSAGES, _HELLO)},
        "CreateResponse": {"model": (_MODEL, "gpt-6-luna"), "input": (_INPUT, "Hello")},
        "CreateOpenAIEmbeddings": {"model": (_MODEL, "text-embedding-3-small"), "input": (_INPUT, "Hello")},
        "CreateMessage": {
            "model": (_MODEL, "claude-haiku-5-5"),
            "max_tokens": (_MAX_TOKENS, 256),
            "messages": (_MESSAGES, _HELLO),
        },
        "CountMessageTokens": {"model": (_MODEL, "claude-haiku-5-5"), "messages": (_MESSAGES, _HELLO)},
    }
)
_STREAMED = ("CreateChatCompletion", "CreateResponse", "CreateMessage")
_VERSION: Schema = {
    "name": "anthropic-version",
    "in": "header",
    "required": True,
    "description": "The version of the API.",
    "schema": {"type": "string", "enum": ["2023-06-01", "2026-10-21"]},
}
_KEY: Schema = {
    "name": "idempotency-key",
    "in": "header",
    "required": False,
    "description": "The same call with the same key is answered and charged once within a day.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_CONVERSATION: Schema = {
    "name": "x-aichat-conversation",
    "in": "header",
    "required": False,
    "description": "The id of the conversation that keeps the turn, or `new`. Absent: nothing is kept.",
    "schema": {"type": "string"},
}


def foreign_headers(rpc: Rpc) -> list[Schema]:
    """Returns the headers of a call."""
    version = [_VERSION] if rpc.foreign_api == "anthropic" else []
    key = [_KEY] if rpc.name in (*_STREAMED, "CreateOpenAIEmbeddings") else []
    conversation = [_CONVERSATION] if rpc.name in _STREAMED else []
    return [*version, *key, *conversation]


def foreign_body(rpc: Rpc) -> Schema:
    """Returns the body of a call."""
    fields = _REQUIRED.get(rpc.name)
    if fields is None:
        return {"content": {"application/json": {"schema": {"type": "object"}}}, "required": False}
    properties = {name: schema for name, (schema, _) in fields.items()}
    if rpc.name in _STREAMED:
        properties["stream"] = _STREAM
    if rpc.name == "CreateResponse":
        properties["store"] = _STORE
    schema = {"type": "object", "required": list(fields), "properties": properties}
    example = {name: value for name, (_, value) in fields.items()}
    return {"content": {"application/json": {"schema": schema, "example": example}}, "required": True}


def foreign_answers(rpc: Rpc) -> Schema:
    """Returns the answers to a call that succeeds."""
    content: Schema = {"application/json": {"schema": {"type": "object"}}}
    if rpc.name in (*_STREAMED, "RetrieveResponse"):
        content["text/event-stream"] = {"schema": events()}
    return {"200": {"description": "The answer, as this API has it.", "content": content}}
