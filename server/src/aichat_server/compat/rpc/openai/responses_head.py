"""The response object of the Responses API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import msgspec

from aichat_server.compat.domain.bodies import JsonBody
from aichat_server.compat.domain.openai.responses import ResponseRequest
from aichat_server.compat.domain.openai.responses_marks import response_id
from aichat_server.compat.rpc.openai.usage import cost_json
from aichat_server.core.money import NanoUsd
from aichat_server.models.domain.usage import Usage

Json = dict[str, Any]
Echo = Mapping[str, Any]
"""What a response tells back of its request."""

_MILLISECONDS_AT = 80
"""A version 7 UUID begins with its time: above these bits."""
_AS_SENT = ("tools", "tool_choice", "reasoning", "metadata")


def echo_of(request: ResponseRequest, body: JsonBody) -> Json:
    """Returns what the response tells back."""
    told: Json = {
        "background": bool(request.background),
        "frequency_penalty": 0.0,
        "instructions": request.instructions,
        "max_output_tokens": request.max_output_tokens,
        "max_tool_calls": request.max_tool_calls,
        "metadata": {},
        "model": request.model,
        "parallel_tool_calls": request.parallel_tool_calls is not False,
        "presence_penalty": 0.0,
        "previous_response_id": request.previous_response_id,
        "prompt_cache_key": request.prompt_cache_key,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": request.safety_identifier,
        "service_tier": request.service_tier or "default",
        "store": request.is_stored,
        "temperature": 1.0 if request.temperature is None else request.temperature,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0 if request.top_p is None else request.top_p,
        "truncation": request.truncation or "disabled",
        "user": request.user,
    }
    sent = {name: body.fields[name] for name in _AS_SENT if bytes(body.fields.get(name, b"null")) != b"null"}
    if request.text is not None:
        told["text"] |= {k: v for k, v in msgspec.json.decode(body.fields["text"]).items() if v is not None}
    return told | sent


class Head:
    """What all objects of one response have in common."""

    def __init__(self, generation_id: UUID, echo: Echo, conversation_id: str | None = None) -> None:
        self._told: Json = {
            "id": response_id(generation_id),
            "object": "response",
            "created_at": (generation_id.int >> _MILLISECONDS_AT) // 1000,
            "completed_at": None,
            "conversation": {"id": conversation_id} if conversation_id is not None else None,
            **echo,
        }

    def response(self, status: str, output: Sequence[Json] = (), **fields: Any) -> Json:
        """Returns the response as it is now."""
        none = {"error": None, "incomplete_details": None, "usage": None}
        return {**self._told, "status": status, **none, "output": output, **fields}


def usage_json(usage: Usage, cost: NanoUsd) -> Json:
    """Returns the usage, with what was charged in US dollars."""
    asked, written = usage.total_input, usage.output
    return {
        "input_tokens": asked,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write + usage.cache_write_1h,
        },
        "output_tokens": written,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": asked + written,
        "cost": cost_json(cost),
    }
