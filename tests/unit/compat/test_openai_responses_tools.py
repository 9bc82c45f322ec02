"""The tools of Responses, also those in namespaces and in items of the input, as functions."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from aichat_server.compat.domain.openai.responses import ResponseRequest
from aichat_server.compat.domain.openai.responses_items import items_told
from aichat_server.compat.domain.openai.responses_options import options_told
from aichat_server.compat.domain.openai.responses_tools import function_name
from aichat_server.core.errors import AichatError
from aichat_server.providers.domain.requests import ChatOptions, ToolChoice, ToolChoiceMode

FIND = {"type": "function", "name": "find", "description": "Finds.", "parameters": {"type": "object"}}
EXEC = {"type": "custom", "name": "exec", "format": {"type": "grammar", "syntax": "lark", "definition": "start: /a/"}}
CRM = {"type": "namespace", "name": "crm", "description": "Customers.", "tools": [FIND, EXEC]}
ADDED = {"type": "additional_tools", "role": "developer", "tools": [CRM]}
CACHED = {"type": "web_search", "external_web_access": False}


def told(*items: Any, **fields: Any) -> ChatOptions:
    """The options of a request."""
    body = {"model": "m", "input": [*items, {"role": "user", "content": "Hi"}], **fields}
    request = msgspec.json.decode(msgspec.json.encode(body), type=ResponseRequest)
    read = items_told(request.input, {})
    return options_told(request, read.instructions, read.tools)


def test_tools_in_namespaces_are_functions_wherever_they_are_offered() -> None:
    options = told(tools=[FIND, CRM])
    assert [tool.name for tool in options.tools] == ["find", "crm__find", "crm__exec"]
    find, custom = options.tools[1:]
    assert find.description == "About all tools whose names begin with crm__: Customers.\n\nFinds."
    assert custom.description == "The input must follow this lark grammar:\nstart: /a/"
    assert '"input"' in custom.parameters
    assert told(ADDED, tools=[FIND]) == options


NAMES = (
    ("find", None, "find"),
    ("find", "crm", "crm__find"),
    ("f" * 30, "n" * 32, "n" * 32 + "__" + "f" * 30),
    ("f" * 31, "n" * 32, "n" * 32 + "__" + "f" * 21 + "_94d748c9"),
)


@pytest.mark.parametrize(("name", "namespace", "function"), NAMES)
def test_names_of_functions_are_of_64_characters(name: str, namespace: str | None, function: str) -> None:
    assert function_name(name, namespace) == function
    assert len(function) <= 64


CHOICES = (
    ({"type": "function", "name": "find"}, ["crm__find", "crm__exec"], ToolChoice(ToolChoiceMode.ONE, "crm__find")),
    ({"type": "custom", "name": "exec"}, ["crm__find", "crm__exec"], ToolChoice(ToolChoiceMode.ONE, "crm__exec")),
    (
        {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "custom", "name": "exec"}]},
        ["crm__exec"],
        ToolChoice(ToolChoiceMode.AUTO),
    ),
    (
        {"type": "allowed_tools", "mode": "required", "tools": [{"type": "namespace", "name": "crm"}]},
        ["crm__find", "crm__exec"],
        ToolChoice(ToolChoiceMode.REQUIRED),
    ),
)


@pytest.mark.parametrize(("choice", "names", "carried"), CHOICES)
def test_tools_are_chosen_by_the_callers_names(choice: Any, names: list[str], carried: ToolChoice) -> None:
    options = told(tools=[CRM], tool_choice=choice)
    assert ([tool.name for tool in options.tools], options.tool_choice) == (names, carried)


def test_a_search_without_the_web_is_left_out() -> None:
    assert told(tools=[CACHED]).web_search is None
    assert told({**ADDED, "tools": [{"type": "web_search"}]}).web_search is not None


REFUSED: tuple[tuple[list[Any], dict[str, Any], str], ...] = (
    ([{**ADDED, "role": "user"}], {}, "input[0].role"),
    ([{**ADDED, "tools": [{"type": "mcp"}]}], {}, "input[0].tools[0].type"),
    ([], {"tools": [{**CRM, "tools": [CRM]}]}, "tools[0].tools[0].type"),
    ([], {"tools": [{**CRM, "tools": [{"type": "function"}]}]}, "tools[0].tools[0].name"),
    ([], {"tools": [{**CRM, "tools": [FIND] * 129}]}, "tools"),
    ([ADDED], {"tools": [CRM] * 64}, "tools"),
    ([], {"tools": [CRM], "tool_choice": {"type": "allowed_tools", "tools": [CACHED]}}, "tool_choice.tools"),
)


@pytest.mark.parametrize(("items", "fields", "place"), REFUSED)
def test_what_is_no_tool_is_refused_with_its_place(items: list[Any], fields: dict[str, Any], place: str) -> None:
    with pytest.raises(AichatError) as error:
        told(*items, **fields)
    assert [violation.field for violation in error.value.violations] == [place]
