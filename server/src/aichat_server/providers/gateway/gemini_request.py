"""A request to Gemini."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec
from google.genai import types

from aichat_server.providers.domain.requests import ProviderRequest, ReasoningEffort, Tool, ToolChoice, ToolChoiceMode
from aichat_server.providers.gateway import prompt
from aichat_server.providers.gateway.gemini_contents import Json, content, contents
from aichat_server.providers.gateway.gemini_reader import BEFORE_3
from aichat_server.providers.gateway.prompt import Said

# The lowest level; the lite models have one below the others' "low".
LITE = "flash-lite"
# Gemini has no option for it. What it calls besides, the reader leaves out.
ONE_CALL = "Call at most one tool at a time."
LEVELS = {
    ReasoningEffort.LOW: types.ThinkingLevel.LOW,
    ReasoningEffort.MEDIUM: types.ThinkingLevel.MEDIUM,
    ReasoningEffort.HIGH: types.ThinkingLevel.HIGH,
}
CALLING = {
    ToolChoiceMode.AUTO: "AUTO",
    ToolChoiceMode.NONE: "NONE",
    ToolChoiceMode.REQUIRED: "ANY",
    ToolChoiceMode.ONE: "ANY",
}


def body(request: ProviderRequest, provider: str) -> Mapping[str, object]:
    """Returns the body as the SDK writes it. `provider`: its name in the catalogue."""
    said = prompt.said(request, provider)
    made: dict[str, object] = {
        "contents": list(contents(said, request)),
        "generationConfig": _config(request),
        **_tools(said, request),
    }
    if system := "\n\n".join(_instructions(request)):
        made["systemInstruction"] = content("user", [{"text": system}])
    if request.options.service_tier is not None:
        made["serviceTier"] = request.options.service_tier.value
    return made


def _instructions(request: ProviderRequest) -> Iterator[str]:
    if own := prompt.system_prompt(request):
        yield own
    if request.options.tools and request.options.parallel_tool_calls is False:
        yield ONE_CALL


def _config(request: ProviderRequest) -> Json:
    options = request.options
    told = {
        "maxOutputTokens": request.max_output_tokens,
        "temperature": options.temperature,
        "topP": options.top_p,
        "seed": options.seed,
        "stopSequences": options.stop or None,
        "thinkingConfig": _thinking(request),
    }
    config: dict[str, object] = {name: value for name, value in told.items() if value is not None}
    if options.response_format is not None:
        config["responseMimeType"] = "application/json"
        config["responseJsonSchema"] = _schema(options.response_format.json_schema)
    return config


def _thinking(request: ProviderRequest) -> Json | None:
    if request.model.startswith(BEFORE_3):
        return None
    level = _level(request)
    return {"include_thoughts": True} | ({"thinking_level": level} if level is not None else {})


def _level(request: ProviderRequest) -> types.ThinkingLevel | None:
    match request.options.reasoning_effort:
        case None:
            return None
        case ReasoningEffort.NONE:
            return types.ThinkingLevel.MINIMAL if LITE in request.model else types.ThinkingLevel.LOW
        case effort:
            return LEVELS[effort]


def _tools(said: Iterable[Said], request: ProviderRequest) -> dict[str, object]:
    searches, declared = request.options.web_search is not None, prompt.tools(request, said)
    if request.model.startswith(BEFORE_3) and (searches or request.options.response_format is not None):
        # These models take no functions beside a search or a schema.
        declared = request.options.tools
    tools: list[Json] = [{"googleSearch": {}}] if searches else []
    config: dict[str, object] = {}
    if declared:
        tools.append({"functionDeclarations": list(map(_declaration, declared))})
        if (choice := prompt.tool_choice(request)) is not None:
            config["functionCallingConfig"] = _calling(choice)
        if searches:
            # A search is then a part of the answer, which the next turn returns.
            config["includeServerSideToolInvocations"] = True
    return ({"tools": tools} if tools else {}) | ({"toolConfig": config} if config else {})


def _calling(choice: ToolChoice) -> Json:
    only = {"allowedFunctionNames": [choice.name]} if choice.mode is ToolChoiceMode.ONE else {}
    return {"mode": CALLING[choice.mode], **only}


def _declaration(tool: Tool) -> Json:
    declared: dict[str, object] = {"name": tool.name, "description": tool.description or tool.name}
    if tool.parameters:
        declared["parametersJsonSchema"] = _schema(tool.parameters)
    return declared


def _schema(text: str) -> object:
    """Returns a schema in the form that Gemini takes: beside a reference it refuses everything but definitions."""
    return _without_siblings(json.loads(text)) if "$ref" in text else msgspec.Raw(text.encode())


def _without_siblings(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_siblings(inner) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    alone = isinstance(schema.get("$ref"), str)
    return {k: _without_siblings(v) for k, v in schema.items() if not alone or k.startswith("$")}
