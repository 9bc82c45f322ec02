"""The options of the Responses API as the platform's own, and those that it cannot carry."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from aichat_server.compat.domain.openai.forms import (
    ANY_OBJECT,
    Names,
    effort_of,
    is_told,
    mode_of,
    refuse,
    sampling,
    schema_format,
    tier_of,
    with_verbosity,
)
from aichat_server.compat.domain.openai.responses import ChosenTool, Format, NamedTool, ResponseRequest
from aichat_server.compat.domain.openai.responses_tools import (
    NAMESPACE,
    SEARCHES,
    OwnTool,
    SentTool,
    functions,
    own_tools,
)
from aichat_server.core.errors import invalid_request
from aichat_server.providers.domain.requests import (
    ChatOptions,
    LongHistory,
    ResponseFormat,
    Tool,
    ToolChoice,
    ToolChoiceMode,
    WebSearch,
)

NAMES: Names = (
    (re.compile(r"^options\.response_format\.json_schema|^response_format(\.json_schema)?"), "text.format.schema"),
    (re.compile(r"^(options\.)?reasoning_effort"), "reasoning.effort"),
    (re.compile(r"^(options\.)?web_search(\.allowed_domains)?"), "tools"),
    (re.compile(r"^options\."), ""),
)
"""What the Responses API calls the platform's options."""

_INCLUDED = frozenset(
    {"reasoning.encrypted_content", "web_search_call.action.sources", "web_search_call.results",
     "message.input_image.image_url", "code_interpreter_call.outputs", "file_search_call.results",
     "computer_call_output.output.image_url"}
)  # fmt: skip


class _Untaken(NamedTuple):
    field: str
    is_asked: Callable[[ResponseRequest], object]
    why: str


_UNTAKEN = (
    _Untaken("conversation", lambda told: told.conversation, "send `previous_response_id`"),
    _Untaken("background", lambda told: told.background and told.store is False, "it needs `store: true`"),
    _Untaken("top_logprobs", lambda told: told.top_logprobs, "leave it out"),
    _Untaken("include", lambda told: set(told.include or ()) - _INCLUDED, "include what is supported alone"),
    _Untaken("prompt", lambda told: is_told(told.prompt), "send the prompt's text as `instructions`"),
    _Untaken("context_management", lambda told: is_told(told.context_management), "shorten the input yourself"),
    _Untaken("moderation", lambda told: is_told(told.moderation), "leave it out"),
    _Untaken("access_programs", lambda told: is_told(told.access_programs), "leave it out"),
    _Untaken("background_options", lambda told: is_told(told.background_options), "leave it out"),
    _Untaken("reasoning.mode", lambda told: told.reasoning and told.reasoning.mode not in (None, "standard"),
             "leave it out, or ask for more effort"),
)  # fmt: skip
"""What models behind other APIs have nothing for. Values that mean the default are accepted."""


def options_told(request: ResponseRequest, instructions: Sequence[str], added: Sequence[SentTool] = ()) -> ChatOptions:
    """Returns the options. `instructions`, `added`: the instructions and the tools among the input's items.

    Raises REQUEST_INVALID and OPTION_UNSUPPORTED with the field.
    """
    for one in _UNTAKEN:
        if one.is_asked(request):
            raise refuse(one.field, one.why)
    sent = (*(SentTool(f"tools[{n}]", one) for n, one in enumerate(request.tools or ())), *added)
    tools, choice = _chosen(functions(sent), request.tool_choice, own_tools(one.tool for one in sent))
    return ChatOptions(
        max_output_tokens=request.max_output_tokens,
        temperature=sampling(request.temperature),
        system_prompt=with_verbosity(
            "\n\n".join(filter(None, (request.instructions, *instructions))),
            request.text.verbosity if request.text is not None else None,
            "text.verbosity",
        ),
        reasoning_effort=effort_of(
            request.reasoning.effort if request.reasoning is not None else None, "reasoning.effort"
        ),
        tools=tools,
        tool_choice=choice,
        parallel_tool_calls=request.parallel_tool_calls if tools else None,
        response_format=_format(request.text.format if request.text is not None else None),
        top_p=sampling(request.top_p),
        web_search=_search(request, sent),
        service_tier=tier_of(request.service_tier),
        long_history=_long_history(request.truncation),
    )


def _chosen(
    tools: tuple[Tool, ...], choice: str | ChosenTool | None, own: Mapping[str, OwnTool]
) -> tuple[tuple[Tool, ...], ToolChoice | None]:
    """Returns the tools that may be called, and the choice among them."""
    match choice:
        case None:
            return tools, None
        case str():
            mode = mode_of(choice, "tool_choice")
            # Some clients always send it.
            is_needless = not tools and mode is not ToolChoiceMode.REQUIRED
            return tools, None if is_needless else ToolChoice(mode)
        case ChosenTool("function" | "custom", name) if name is not None:
            return tools, ToolChoice(ToolChoiceMode.ONE, next(_named(NamedTool("function", name), own), name))
        case ChosenTool("allowed_tools", mode=mode, tools=allowed) if allowed is not None:
            named = [set(_named(one, own)) for one in allowed]
            if not all(named):
                raise invalid_request("tool_choice.tools", "must be some of the tools")
            names = set[str]().union(*named)
            chosen = mode_of(mode or "auto", "tool_choice.mode")
            return tuple(one for one in tools if one.name in names), ToolChoice(chosen)
        case _:
            raise refuse("tool_choice", "choose auto, none, required, a function, a custom tool, or allowed_tools")


def _named(told: NamedTool, own: Mapping[str, OwnTool]) -> Iterator[str]:
    """Yields the functions of the tools that a choice names."""
    for function, one in own.items():
        if told.name is not None and told.name == (one.namespace if told.type == NAMESPACE else one.name):
            yield function


def _format(told: Format | None) -> ResponseFormat | None:
    if told is None or told.type == "text":
        return None
    if told.type == "json_object":
        return ResponseFormat(ANY_OBJECT)
    if told.type == "json_schema" and told.name is not None:
        return schema_format(told.name, told.schema, "text.format")
    raise invalid_request("text.format", "must be of the type text, json_object, or json_schema with name and schema")


def _search(request: ResponseRequest, sent: Sequence[SentTool]) -> WebSearch | None:
    # OpenAI's copies of pages can be searched without the web, which nobody else has. Codex offers that to all models.
    found = next((one for _, one in sent if one.type in SEARCHES and one.external_web_access is not False), None)
    if found is None or request.tool_choice == "none":
        return None
    domains = found.filters.allowed_domains if found.filters is not None else None
    most = {} if request.max_tool_calls is None else {"max_searches": request.max_tool_calls}
    return WebSearch(**most, allowed_domains=tuple(domains or ()))


def _long_history(truncation: str | None) -> LongHistory:
    if truncation not in (None, "auto", "disabled"):
        raise invalid_request("truncation", "must be auto or disabled")
    return LongHistory.DROP if truncation == "auto" else LongHistory.REFUSE
