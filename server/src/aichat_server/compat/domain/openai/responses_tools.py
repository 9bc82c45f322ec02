"""The tools of the Responses API as functions, and what the caller calls them: those in namespaces have two names."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import msgspec

from aichat_server.compat.domain.openai.forms import MOST_TOOLS, refuse, tool
from aichat_server.compat.domain.openai.responses import Grammar, OfferedTool, ResponseTool
from aichat_server.core.errors import invalid_request
from aichat_server.providers.domain.requests import Tool

SEARCHES = frozenset(
    {"web_search", "web_search_2025_08_26", "web_search_preview", "web_search_preview_2025_03_11"}
)  # fmt: skip
NAMESPACE, CUSTOM = "namespace", "custom"
_INPUT = '{"type":"object","properties":{"input":{"type":"string"}},"required":["input"],"additionalProperties":false}'
"""The schema of a custom tool, which takes a text."""
_MOST_NAME, _DIGITS = 64, 8


class SentTool(NamedTuple):
    """A tool, and where the request has it."""

    field: str
    tool: ResponseTool


class OwnTool(msgspec.Struct, frozen=True):
    """How the caller knows a tool."""

    name: str
    namespace: str | None = None
    takes_text: bool = False
    """Whether its input is a text instead of arguments."""


def function_name(name: str, namespace: str | None) -> str:
    """Returns the name of a tool's function: the same for each of its calls, and of at most 64 characters."""
    if namespace is None:
        return name
    whole = f"{namespace}__{name}"
    if len(whole) <= _MOST_NAME:
        return whole
    digest = hashlib.sha256(whole.encode(errors="replace")).hexdigest()[:_DIGITS]
    return f"{whole[: _MOST_NAME - _DIGITS - 1]}_{digest}"


def own_tools(offered: Iterable[OfferedTool | ResponseTool]) -> Mapping[str, OwnTool]:
    """Returns how the caller knows its tools, by the names of their functions."""
    own = dict[str, OwnTool]()
    for one in offered:
        namespace, tools = (one.name, one.tools or ()) if one.type == NAMESPACE else (None, (one,))
        for each in tools:
            if each.name is not None:
                own[function_name(each.name, namespace)] = OwnTool(each.name, namespace, each.type == CUSTOM)
    return own


def functions(told: Sequence[SentTool]) -> tuple[Tool, ...]:
    """Returns the functions of all tools. Raises REQUEST_INVALID and OPTION_UNSUPPORTED with the field."""
    if sum(len(one.tool.tools or (one,)) for one in told) > MOST_TOOLS:
        raise invalid_request("tools", f"must be at most {MOST_TOOLS}")
    return tuple(function for one in told for function in _functions(one))


def _functions(told: SentTool) -> Iterator[Tool]:
    field, one = told
    if one.type in SEARCHES:
        return
    if one.type != NAMESPACE:
        yield _function(told)
        return
    name = one.name or ""
    for n, inner in enumerate(one.tools or ()):
        # What is said of all of them is said once.
        words = (
            f"About all tools whose names begin with {name}__: {one.description}" if not n and one.description else ""
        )
        yield _function(SentTool(f"{field}.tools[{n}]", inner), name, words)


def _function(told: SentTool, namespace: str | None = None, words: str = "") -> Tool:
    """Returns a tool's function. `words` come before its description."""
    field, one = told
    if one.type not in ("function", CUSTOM):
        raise refuse(f"{field}.type", f"tools of the type {one.type!r} are not carried to this model")
    if not one.name:
        raise invalid_request(f"{field}.name", "must name the tool")
    name = function_name(one.name, namespace)
    is_custom = one.type == CUSTOM
    description = "\n\n".join(filter(None, (words, one.description, _rule(one.format) if is_custom else "")))
    return tool(name, description, msgspec.Raw(_INPUT.encode()) if is_custom else one.parameters, field)


def _rule(form: Grammar | None) -> str:
    """Returns the grammar of a custom tool's input, which models are told in words."""
    match form:
        case Grammar("grammar", syntax, definition) if definition:
            return f"The input must follow this {syntax or ''} grammar:\n{definition}"
        case _:
            return ""
