"""The options of Chat Completions as the platform's own, and those that it cannot carry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from aichat_server.compat.domain.openai.chat import ChatRequest, ChosenTool, Format
from aichat_server.compat.domain.openai.forms import (
    ANY_OBJECT,
    MOST_TOOLS,
    Names,
    effort_of,
    is_told,
    mode_of,
    refuse,
    sampling,
    schema_format,
    tier_of,
    tool,
    with_verbosity,
)
from aichat_server.core.errors import invalid_request
from aichat_server.providers.domain.requests import (
    ChatOptions,
    ResponseFormat,
    Tool,
    ToolChoice,
    ToolChoiceMode,
    WebSearch,
)

NAMES: Names = (
    (re.compile(r"^options\.tools(\[\d+\])\."), r"tools\1.function."),
    (re.compile(r"^options\.response_format\.json_schema"), "response_format.json_schema.schema"),
    (re.compile(r"^options\.tool_choice\.name"), "tool_choice.function.name"),
    (re.compile(r"^options\."), ""),
    (re.compile(r"^max_output_tokens"), "max_completion_tokens"),
    (re.compile(r"^web_search(\.allowed_domains)?"), "web_search_options"),
)
"""What Chat Completions calls the platform's options."""


class _Untaken(NamedTuple):
    field: str
    is_asked: Callable[[ChatRequest], object]
    why: str


_UNTAKEN = (
    _Untaken("n", lambda told: told.n not in (None, 1), "ask once for each answer"),
    _Untaken("logprobs", lambda told: told.logprobs, "leave it out"),
    _Untaken("top_logprobs", lambda told: told.top_logprobs, "leave it out"),
    _Untaken("logit_bias", lambda told: is_told(told.logit_bias), "leave it out"),
    _Untaken("modalities", lambda told: set(told.modalities or ()) - {"text"}, "models answer in text"),
    _Untaken("audio", lambda told: is_told(told.audio), "models answer in text"),
    _Untaken("prediction", lambda told: is_told(told.prediction), "leave it out"),
    _Untaken("moderation", lambda told: is_told(told.moderation), "leave it out"),
    _Untaken("functions", lambda told: is_told(told.functions), "send them as `tools`"),
    _Untaken("function_call", lambda told: is_told(told.function_call), "send it as `tool_choice`"),
    _Untaken("frequency_penalty", lambda told: told.frequency_penalty, "leave it out"),
    _Untaken("presence_penalty", lambda told: told.presence_penalty, "leave it out"),
)
"""What models behind other APIs have nothing for. Values that mean the default are accepted."""


def options_told(request: ChatRequest, instructions: str) -> ChatOptions:
    """Returns the options. Raises REQUEST_INVALID and OPTION_UNSUPPORTED with the field."""
    for one in _UNTAKEN:
        if one.is_asked(request):
            raise refuse(one.field, one.why)
    tools, choice = _tools(request)
    stop = request.stop or ()
    return ChatOptions(
        max_output_tokens=request.max_completion_tokens or request.max_tokens,
        temperature=sampling(request.temperature),
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        system_prompt=with_verbosity(instructions, request.verbosity, "verbosity"),
        reasoning_effort=effort_of(request.reasoning_effort, "reasoning_effort"),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=request.parallel_tool_calls if tools else None,
        response_format=_format(request.response_format),
        top_p=sampling(request.top_p),
        seed=request.seed,
        web_search=_search(request),
        service_tier=tier_of(request.service_tier),
    )


def _tools(request: ChatRequest) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    if len(request.tools or ()) > MOST_TOOLS:
        raise invalid_request("tools", f"must be at most {MOST_TOOLS}")
    told = []
    for n, one in enumerate(request.tools or ()):
        if one.type != "function" or one.function is None:
            raise refuse(f"tools[{n}].type", "send functions: this model takes no other tools")
        function = one.function
        told.append(tool(function.name, function.description, function.parameters, f"tools[{n}].function"))
    return _chosen(tuple(told), request.tool_choice)


def _chosen(tools: tuple[Tool, ...], choice: str | ChosenTool | None) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    """Returns the tools that may be called, and the choice among them."""
    match choice:
        case None:
            return tools, None
        case str():
            mode = mode_of(choice, "tool_choice")
            # Some clients always send it.
            is_needless = not tools and mode is not ToolChoiceMode.REQUIRED
            return tools, None if is_needless else ToolChoice(mode)
        case ChosenTool("function", function) if function is not None:
            return tools, ToolChoice(ToolChoiceMode.ONE, function.name)
        case ChosenTool("allowed_tools", allowed_tools=allowed) if allowed is not None:
            names = {one.function.name for one in allowed.tools if one.function is not None}
            _check_known(names, tools)
            mode = mode_of(allowed.mode, "tool_choice.allowed_tools.mode")
            return tuple(one for one in tools if one.name in names), ToolChoice(mode)
        case _:
            raise refuse("tool_choice", "choose auto, none, required, a function, or allowed_tools")


def _check_known(names: Iterable[str], tools: Iterable[Tool]) -> None:
    if not set(names) <= {one.name for one in tools}:
        raise invalid_request("tool_choice.allowed_tools.tools", "must be some of the tools")


def _format(told: Format | None) -> ResponseFormat | None:
    if told is None or told.type == "text":
        return None
    if told.type == "json_object":
        return ResponseFormat(ANY_OBJECT)
    if told.type == "json_schema" and told.json_schema is not None:
        return schema_format(told.json_schema.name, told.json_schema.schema, "response_format.json_schema")
    raise invalid_request("response_format", "must be of the type text, json_object, or json_schema with its schema")


def _search(request: ChatRequest) -> WebSearch | None:
    told = request.web_search_options
    if told is None:
        return None
    if is_told(told.user_location):
        raise refuse("web_search_options.user_location", "say it in the message")
    if told.search_context_size not in (None, "medium"):
        raise refuse("web_search_options.search_context_size", "leave it out")
    return WebSearch()
