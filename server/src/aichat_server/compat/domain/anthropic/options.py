"""How to answer, from Anthropic's parameters to the platform's options."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from aichat_server.compat.domain.anthropic.marks import ANTHROPIC
from aichat_server.compat.domain.anthropic.requests import CountRequest, Format, Tool
from aichat_server.compat.domain.anthropic.versions import Version
from aichat_server.core.errors import invalid_request
from aichat_server.models.domain.models import Model
from aichat_server.providers.domain.requests import (
    ChatOptions,
    ReasoningEffort,
    ResponseFormat,
    ToolChoice,
    ToolChoiceMode,
    WebSearch,
)
from aichat_server.providers.domain.requests import Tool as OfferedTool

_SEARCH = "web_search_"
_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")
_CHOICES: Mapping[str, ToolChoiceMode] = MappingProxyType(
    {
        "auto": ToolChoiceMode.AUTO,
        "any": ToolChoiceMode.REQUIRED,
        "tool": ToolChoiceMode.ONE,
        "none": ToolChoiceMode.NONE,
    }
)
_EFFORTS: Mapping[str, ReasoningEffort] = MappingProxyType(
    {
        "low": ReasoningEffort.LOW,
        "medium": ReasoningEffort.MEDIUM,
        "high": ReasoningEffort.HIGH,
        # There is no higher effort for all vendors.
        "xhigh": ReasoningEffort.HIGH,
        "max": ReasoningEffort.HIGH,
    }
)
_LOW_BUDGET, _MEDIUM_BUDGET = 4_096, 16_384
"""The most tokens that are a low and a medium effort."""
_LEAST_BUDGET = 1_024
_SAMPLING = ("temperature", "top_p", "top_k")
_MOST_SEARCHES = 20
_DEFAULT = 1.0
"""Of temperature and top_p, with all vendors: some models take no other."""
_UNSUPPORTED = ("top_k", "container", "inference_geo", "mcp_servers", "compaction", "fallbacks", "thread")
_KNOWN: Mapping[str, Sequence[str]] = MappingProxyType(
    {"service_tier": ("auto", "standard_only"), "speed": ("standard",)}
)
"""Fields of which some values change nothing, and are all that is carried."""


def options_of(asked: CountRequest, system_prompt: str, model: Model, version: Version) -> ChatOptions:
    """Returns the options of a request. Raises REQUEST_INVALID with the field of what cannot be carried."""
    _check(asked, model, version)
    tools = tuple(asked.tools or ())
    choice = asked.tool_choice
    offered = tuple(_offered(tools))
    return ChatOptions(
        max_output_tokens=asked.max_tokens,
        temperature=None if asked.temperature == _DEFAULT else asked.temperature,
        top_p=None if asked.top_p == _DEFAULT else asked.top_p,
        stop=tuple(asked.stop_sequences or ()),
        system_prompt=system_prompt,
        reasoning_effort=_effort(asked, model),
        tools=offered,
        tool_choice=_choice(asked, offered),
        parallel_tool_calls=False if choice is not None and choice.disable_parallel_tool_use and offered else None,
        response_format=_format(asked),
        web_search=next(_searches(tools), None),
    )


def _check(asked: CountRequest, model: Model, version: Version) -> None:
    for name in _SAMPLING if version is Version.STRICT else ():
        if getattr(asked, name) is not None:
            raise invalid_request(name, f"is not supported since version {version}: leave it out")
    for name in _UNSUPPORTED:
        if getattr(asked, name):
            raise invalid_request(name, f"is not supported for {model.id}: leave it out")
    for name, known in _KNOWN.items():
        if getattr(asked, name) not in (None, *known):
            raise invalid_request(name, f"must be {' or '.join(known)} for {model.id}")
    _check_inner(asked, model)
    _check_numbers(asked, model)


def _check_inner(asked: CountRequest, model: Model) -> None:
    if asked.billing_policy is not None and asked.billing_policy.bill_to not in (None, "self"):
        raise invalid_request("billing_policy.bill_to", f"must be self for {model.id}")
    if asked.output_config is not None and asked.output_config.task_budget:
        raise invalid_request("output_config.task_budget", f"is not supported for {model.id}: leave it out")


def _check_numbers(asked: CountRequest, model: Model) -> None:
    if not 0 <= (asked.temperature or 0) <= 1:
        raise invalid_request("temperature", "must be from 0 to 1")
    limit = 1 if asked.max_tokens is None else asked.max_tokens
    if limit < 1:
        raise invalid_request("max_tokens", "must be at least 1")
    if limit > model.max_output_tokens:
        most = f"{limit} > {model.max_output_tokens}, which is the maximum allowed number of output tokens"
        raise invalid_request("max_tokens", f"{most} for {model.id}")


def _offered(tools: Sequence[Tool]) -> Iterator[OfferedTool]:
    for n, tool in enumerate(tools):
        if tool.type in (None, "custom"):
            if not tool.input_schema:
                raise invalid_request(f"tools.{n}.input_schema", "Field required")
            if not _NAME.fullmatch(tool.name):
                raise invalid_request(f"tools.{n}.name", f"String should match pattern '{_NAME.pattern}'")
            yield OfferedTool(tool.name, tool.description or "", bytes(tool.input_schema).decode())
        elif not (tool.type or "").startswith(_SEARCH):
            problem = f"{tool.type!r} is not supported for this model: send custom tools and web_search"
            raise invalid_request(f"tools.{n}.type", problem)


def _searches(tools: Sequence[Tool]) -> Iterator[WebSearch]:
    for n, tool in enumerate(tools):
        if not (tool.type or "").startswith(_SEARCH):
            continue
        for name in ("blocked_domains", "user_location"):
            if getattr(tool, name):
                raise invalid_request(f"tools.{n}.{name}", "is not supported for this model: leave it out")
        most = WebSearch().max_searches if tool.max_uses is None else tool.max_uses
        if not 1 <= most <= _MOST_SEARCHES:
            raise invalid_request(f"tools.{n}.max_uses", f"must be from 1 to {_MOST_SEARCHES}")
        yield WebSearch(most, tuple(tool.allowed_domains or ()))


def _choice(asked: CountRequest, offered: Sequence[OfferedTool]) -> ToolChoice | None:
    told = asked.tool_choice
    if told is None:
        return None
    mode = _CHOICES.get(told.type)
    if mode is None:
        raise invalid_request("tool_choice.type", f"must be one of {', '.join(_CHOICES)}")
    if mode is ToolChoiceMode.ONE and not told.name:
        raise invalid_request("tool_choice.name", "Field required")
    if not offered and mode in (ToolChoiceMode.AUTO, ToolChoiceMode.NONE):
        # It is as good as none.
        return None
    return ToolChoice(mode, told.name if mode is ToolChoiceMode.ONE else "")


def _format(asked: CountRequest) -> ResponseFormat | None:
    told = asked.output_config.format if asked.output_config is not None else None
    place = "output_config.format"
    if told is None:
        told, place = asked.output_format, "output_format"
    if told is None:
        return None
    return ResponseFormat(_schema(told, place))


def _schema(told: Format, place: str) -> str:
    if told.type != "json_schema":
        raise invalid_request(f"{place}.type", "must be json_schema")
    if not told.schema:
        raise invalid_request(f"{place}.schema", "Field required")
    return bytes(told.schema).decode()


def shows_thinking(asked: CountRequest) -> bool:
    """Whether the caller asks for the model's thinking."""
    return asked.thinking is not None and asked.thinking.type != "disabled"


def _effort(asked: CountRequest, model: Model) -> ReasoningEffort | None:
    told = asked.output_config.effort if asked.output_config is not None else None
    if told is not None and told not in _EFFORTS:
        raise invalid_request("output_config.effort", f"must be one of {', '.join(_EFFORTS)}")
    thinking, can = asked.thinking, model.abilities
    match thinking.type if thinking is not None else None:
        case "disabled" | "between_tools":
            # A model that does not reason has nothing to switch off, and some always do, if only between tools.
            return ReasoningEffort.NONE if can.reasoning else None
        case None if told is None:
            return None
        case None:
            return _EFFORTS[told or ""]
        case "adaptive" if told is None:
            return _adaptive(model)
        case "adaptive":
            return _EFFORTS[told or ""]
        case "enabled":
            return _of_budget(thinking.budget_tokens if thinking is not None else None, model)
        case _:
            raise invalid_request("thinking.type", "must be one of adaptive, between_tools, disabled and enabled")


def _adaptive(model: Model) -> ReasoningEffort | None:
    """Returns the effort by which the model itself decides how much it thinks."""
    if not model.abilities.reasoning:
        return None
    # Each vendor's own default.
    return ReasoningEffort.HIGH if model.provider == ANTHROPIC else ReasoningEffort.MEDIUM


def _of_budget(tokens: int | None, model: Model) -> ReasoningEffort | None:
    if tokens is None:
        raise invalid_request("thinking.budget_tokens", "Field required")
    if tokens < _LEAST_BUDGET:
        raise invalid_request("thinking.budget_tokens", f"must be at least {_LEAST_BUDGET}")
    if model.abilities.thinks:
        return None
    if tokens <= _LOW_BUDGET:
        return ReasoningEffort.LOW
    return ReasoningEffort.MEDIUM if tokens <= _MEDIUM_BUDGET else ReasoningEffort.HIGH
