"""Describes the failures of calls: the contract's own, and those of other companies' APIs."""

from __future__ import annotations

from typing import Any

ERROR_SCHEMAS: dict[str, Any] = {
    "Status": {
        "type": "object",
        "description": "Why a call failed: a `google.rpc.Status`.",
        "required": ["code", "message", "details"],
        "properties": {
            "code": {"type": "integer", "description": "The gRPC status, such as 5 for NOT_FOUND."},
            "message": {"type": "string", "description": "What happened, for people."},
            "details": {
                "type": "array",
                "description": "A `google.rpc.ErrorInfo`, whose `reason` is a name of ErrorReason without its prefix; "
                "a `google.rpc.RetryInfo` if the same call may succeed later; a `google.rpc.BadRequest` with the "
                "fields that are not valid; a `google.rpc.QuotaFailure` if a quota is used up.",
                "items": {"type": "object", "required": ["@type"], "properties": {"@type": {"type": "string"}}},
            },
        },
    },
    "OpenAIError": {
        "type": "object",
        "required": ["error"],
        "properties": {
            "error": {
                "type": "object",
                "required": ["message", "type"],
                "properties": {
                    "message": {"type": "string"},
                    "type": {"type": "string"},
                    "param": {"type": ["string", "null"]},
                    "code": {"type": ["string", "null"]},
                },
            }
        },
    },
    "AnthropicError": {
        "type": "object",
        "required": ["type", "error"],
        "properties": {
            "type": {"const": "error"},
            "error": {
                "type": "object",
                "required": ["type", "message"],
                "properties": {"type": {"type": "string"}, "message": {"type": "string"}},
            },
            "request_id": {"type": ["string", "null"]},
        },
    },
}
_NAMES = {"": "Status", "openai": "OpenAIError", "anthropic": "AnthropicError"}


def error_response(foreign_api: str) -> dict[str, Any]:
    """Returns the response of calls that fail; `foreign_api` names the API whose form it has, if that is another's."""
    schema = {"$ref": f"#/components/schemas/{_NAMES[foreign_api]}"}
    return {"description": "The call failed.", "content": {"application/json": {"schema": schema}}}
