"""Checks the forms that a request gives to calls and answers: its tools, the choice among them, and its schema."""

from __future__ import annotations

from aichat_server.core.errors import invalid_request
from aichat_server.providers.domain.requests import ChatOptions, Tool, ToolChoice, ToolChoiceMode
from aichat_server.providers.domain.schemas import AnswerSchema, SchemaError, answer_schema, check_parameters

MOST_TOOL_BYTES = 262_144
"""The most bytes of all tools together."""
MOST_TOOL_NODES = 16_384
"""The most values of all schemas of tools together."""


def check_forms(options: ChatOptions) -> AnswerSchema | None:
    """Returns what the answer is checked against; None if its form is free.

    Raises REQUEST_INVALID for the first form that no vendor accepts.
    """
    if options.tools:
        _check_tools(options.tools)
    if options.tool_choice is not None:
        _check_choice(options.tool_choice, options.tools)
    if options.response_format is None:
        return None
    try:
        return answer_schema(options.response_format.json_schema)
    except SchemaError as error:
        raise invalid_request("options.response_format.json_schema", str(error)) from error


def _check_tools(tools: tuple[Tool, ...]) -> None:
    texts = (text for tool in tools for text in (tool.name, tool.description, tool.parameters))
    if sum(len(text.encode()) for text in texts) > MOST_TOOL_BYTES:
        raise invalid_request("options.tools", f"must have at most {MOST_TOOL_BYTES} bytes together")
    names, nodes = set[str](), 0
    for n, tool in enumerate(tools):
        if tool.name in names:
            raise invalid_request(f"options.tools[{n}].name", "must differ from the names of the other tools")
        names.add(tool.name)
        if not tool.parameters:
            continue
        try:
            nodes += check_parameters(tool.parameters)
        except SchemaError as error:
            raise invalid_request(f"options.tools[{n}].parameters", str(error)) from error
        if nodes > MOST_TOOL_NODES:
            raise invalid_request("options.tools", f"must have at most {MOST_TOOL_NODES} values in all their schemas")


def _check_choice(choice: ToolChoice, tools: tuple[Tool, ...]) -> None:
    if not tools:
        raise invalid_request("options.tool_choice", "needs tools: add some, or leave it out")
    if choice.mode is not ToolChoiceMode.ONE:
        if choice.name:
            raise invalid_request("options.tool_choice.name", "must be empty unless the mode is TOOL_CHOICE_MODE_ONE")
    elif all(tool.name != choice.name for tool in tools):
        raise invalid_request("options.tool_choice.name", "must be the name of one of the tools")
