"""Builds requests from what callers pass."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypedDict, TypeVar, get_args

import betterproto2

from aichat_sdk._checking import member, refusal, wrong_text
from aichat_sdk._params import ChatParams, CountParams, ToolRule
from aichat_sdk._proto.aichat import v1
from aichat_sdk._sending import Upload, parts_of
from aichat_sdk.content import Content
from aichat_sdk.errors import ArgumentError
from aichat_sdk.tools import Tool, tool_of

EnumT = TypeVar("EnumT", bound=betterproto2.Enum)


class _Asked(TypedDict):
    """The fields that both requests have."""

    model: str
    parts: list[v1.Part]
    conversation_id: str
    parent_message_id: str
    options: v1.ChatOptions


async def chat_request(params: ChatParams, upload: Upload) -> v1.StreamChatRequest:
    """Returns the request of StreamChat; uploads large files first."""
    asked = dict[str, Any](params)
    request_id, cancel = asked.pop("request_id", None), asked.pop("cancel_on_disconnect", False)
    return v1.StreamChatRequest(
        **await _asked(upload, **asked),
        request_id=str(uuid.uuid4()) if request_id in (None, "") else request_id,
        cancel_on_disconnect=cancel,
    )


async def count_request(params: CountParams, upload: Upload) -> v1.CountTokensRequest:
    """Returns the request of CountTokens; uploads large files first."""
    return v1.CountTokensRequest(**await _asked(upload, **params))


async def _asked(
    upload: Upload,
    *,
    model: str | None = None,
    text: str | None = None,
    parts: Sequence[Content] | None = None,
    conversation_id: str | None = None,
    parent_message_id: str | None = None,
    **options: Any,
) -> _Asked:
    if model is None:
        raise refusal("model", "must be given, as an id from `client.models.list()`")
    if (text is None) == (parts is None):
        raise ArgumentError("a message is either `text` or `parts`: pass one of them")
    if text is not None and (wrong := wrong_text(text)):
        raise refusal("text", wrong)
    checked = _options(**options)
    return _Asked(
        model=model,
        parts=[v1.Part(text=v1.TextPart(text=text))] if text is not None else await parts_of(parts, upload),
        conversation_id="" if conversation_id is None else conversation_id,
        parent_message_id="" if parent_message_id is None else parent_message_id,
        options=checked,
    )


def _options(
    *,
    stop: str | list[str] | None = None,
    system_prompt: str | None = None,
    reasoning_effort: str | None = None,
    tools: Sequence[Tool | Callable[..., Any]] | None = None,
    tool_choice: str | v1.ToolChoice | None = None,
    response_format: Mapping[str, Any] | v1.ResponseFormat | None = None,
    web_search: bool | v1.WebSearch | None = None,
    service_tier: str | None = None,
    long_history: str | None = None,
    max_output_tokens: int | None = None,
    temperature: float | None = None,
    top_p: float | None = None,
    seed: int | None = None,
    parallel_tool_calls: bool | None = None,
    cache: bool | None = None,
) -> v1.ChatOptions:
    return v1.ChatOptions(
        max_output_tokens=max_output_tokens,
        temperature=temperature,
        stop=[stop] if isinstance(stop, str) else [] if stop is None else stop,
        system_prompt="" if system_prompt is None else system_prompt,
        reasoning_effort=_member(v1.ReasoningEffort, reasoning_effort, "reasoning_effort"),
        tools=[_tool(tool, f"tools[{number}]") for number, tool in enumerate(tools_of(tools))],
        tool_choice=_tool_choice(tool_choice),
        parallel_tool_calls=parallel_tool_calls,
        response_format=_response_format(response_format),
        top_p=top_p,
        seed=seed,
        web_search=v1.WebSearch() if web_search is True else None if web_search is False else web_search,
        service_tier=_member(v1.ServiceTier, service_tier, "service_tier"),
        cache=cache,
        long_history=_member(v1.LongHistory, long_history, "long_history"),
    )


def tools_of(tools: Sequence[Tool | Callable[..., Any]] | None) -> list[Tool]:
    """Returns the tools; raises ArgumentError if they are no list, or if two have the same name."""
    if tools is None:
        return []
    if not isinstance(tools, list | tuple):
        raise refusal("tools", f"must be a list of functions, not {type(tools).__name__}")
    made = [_made(tool, f"tools[{number}]") for number, tool in enumerate(tools)]
    names = [tool.name for tool in made]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise refusal(f"tools[{number}]", f"has the name of another tool: {name}")
    return made


def _made(tool: object, place: str) -> Tool:
    try:
        return tool_of(tool)
    except (TypeError, ValueError) as error:
        raise refusal(place, f"cannot be used: {error}") from error


def _tool(tool: Tool, place: str) -> v1.Tool:
    parameters = _schema_text(tool.parameters, f"{place}.parameters") if tool.parameters else ""
    return v1.Tool(name=tool.name, description=tool.description, parameters=parameters)


def _tool_choice(choice: str | v1.ToolChoice | None) -> v1.ToolChoice | None:
    if not isinstance(choice, str):
        return choice
    if choice in get_args(ToolRule):
        return v1.ToolChoice(mode=member(v1.ToolChoiceMode, choice, "tool_choice"))
    return v1.ToolChoice(mode=v1.ToolChoiceMode.ONE, name=choice)


def _response_format(schema: Mapping[str, Any] | v1.ResponseFormat | None) -> v1.ResponseFormat | None:
    if schema is None or isinstance(schema, v1.ResponseFormat):
        return schema
    if not isinstance(schema, Mapping):
        raise refusal("response_format", f"must be a JSON Schema as a dict, not {type(schema).__name__}")
    name = re.sub(r"[^A-Za-z0-9_-]", "_", str(schema.get("title", "")))[:64]
    return v1.ResponseFormat(json_schema=_schema_text(schema, "response_format"), name=name)


def _schema_text(schema: Mapping[str, Any], place: str) -> str:
    try:
        return json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise refusal(place, f"is not JSON: {error}") from error


def _member(kind: type[EnumT], name: str | None, field: str) -> EnumT:
    return kind(0) if name is None else member(kind, name, field)
