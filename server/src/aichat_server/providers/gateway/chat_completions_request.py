"""The body of a Chat Completions request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, assert_never, cast

from openai.types.chat.completion_create_params import CompletionCreateParamsStreaming

from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Link,
    Part,
    ProviderItem,
    ReasoningPart,
    Role,
    StoredFile,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.providers.domain.requests import ProviderRequest, Tool, ToolChoice, ToolChoiceMode
from aichat_server.providers.gateway import openai_terms as terms
from aichat_server.providers.gateway import prompt
from aichat_server.providers.gateway.body import TextFile
from aichat_server.providers.gateway.prompt import Said

IN_LOOPS = ("reasoning_content", "reasoning")
"""Fields of reasoning that some endpoints want back while tools are called, and refuse or ignore otherwise."""
DETAILS = "reasoning_details"
"""OpenRouter's field, with encrypted reasoning: it wants it back always."""
THINKING = "thinking"
"""Mistral's reasoning: chunks of the content."""


def params(
    request: ProviderRequest, provider: str, *, compatible: bool, caches: bool = False
) -> CompletionCreateParamsStreaming:
    """Returns the body; `compatible`: for an endpoint of somebody else's. `caches`: whether it knows OpenAI's cache."""
    options, said = request.options, prompt.said(request, provider)
    told: dict[str, Any] = {
        "model": request.model,
        "messages": list(_messages(request, said)),
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if not compatible:
        told["service_tier"] = terms.tier(options.service_tier)
    if caches and options.cache is not False and request.prompt.cache_key:
        told["prompt_cache_key"] = request.prompt.cache_key
    # OpenAI's reasoning models refuse the limit's old name, compatible endpoints do not know the new one.
    told["max_tokens" if compatible else "max_completion_tokens"] = request.max_output_tokens
    plain = {"temperature": options.temperature, "top_p": options.top_p, "seed": options.seed}
    told |= {name: value for name, value in plain.items() if value is not None}
    if options.stop:
        told["stop"] = list(options.stop)
    if options.reasoning_effort is not None:
        told["reasoning_effort"] = terms.effort(request.model, options.reasoning_effort)
    if options.response_format is not None:
        schema = terms.schema_of(options.response_format.json_schema)
        shape = {"name": options.response_format.name, "schema": schema, "strict": terms.is_strict(schema)}
        told["response_format"] = {"type": "json_schema", "json_schema": shape}
    return cast("CompletionCreateParamsStreaming", told | _tools(request, said))


def _tools(request: ProviderRequest, said: list[Said]) -> dict[str, Any]:
    tools = prompt.tools(request, said)
    if not tools:
        return {}
    told: dict[str, Any] = {"tools": [_tool(tool) for tool in tools]}
    if (choice := prompt.tool_choice(request)) is not None:
        told["tool_choice"] = _choice(choice)
    if request.options.parallel_tool_calls is not None and request.options.tools:
        told["parallel_tool_calls"] = request.options.parallel_tool_calls
    return told


def _tool(tool: Tool) -> dict[str, Any]:
    schema = terms.schema_of(tool.parameters)
    function: dict[str, Any] = {"name": tool.name, "parameters": schema}
    if tool.description:
        function["description"] = tool.description
    if terms.is_strict(schema):
        function["strict"] = True
    return {"type": "function", "function": function}


def _choice(choice: ToolChoice) -> object:
    match choice.mode:
        case ToolChoiceMode.AUTO | ToolChoiceMode.NONE | ToolChoiceMode.REQUIRED:
            return choice.mode.value
        case ToolChoiceMode.ONE:
            return {"type": "function", "function": {"name": choice.name}}
        case _:
            assert_never(choice.mode)


def _messages(request: ProviderRequest, said: list[Said]) -> Iterator[Mapping[str, Any]]:
    if system := prompt.system_prompt(request):
        yield {"role": "system", "content": system}
    loop = max((n for n, side in enumerate(said) if side.role is Role.USER and _asks(side)), default=0)
    for n, side in enumerate(said):
        match side.role:
            case Role.USER:
                yield from _user(side)
            case Role.ASSISTANT:
                yield _assistant(side, in_loop=n > loop)
            case _:
                assert_never(side.role)


def _asks(side: Said) -> bool:
    """Whether the user says anything, besides results."""
    return not all(isinstance(part, ToolResultPart) for part in side.parts)


def _user(side: Said) -> Iterator[Mapping[str, Any]]:
    shown: list[Part] = []
    for part in side.parts:
        if isinstance(part, ToolResultPart):
            text = terms.result_text(part.parts, is_error=part.is_error)
            yield {"role": "tool", "tool_call_id": terms.call_id(part.call_id), "content": text}
            # A result is text alone here, so that its images follow as the user's.
            shown += [inner for inner in part.parts if not isinstance(inner, TextPart)]
        else:
            shown.append(part)
    if shown:
        yield {"role": "user", "content": _content(shown)}


def _content(parts: list[Part]) -> str | list[dict[str, Any]]:
    """Returns text as a string, which all endpoints take, and all else as a list."""
    return Said(Role.USER, tuple(parts)).text if terms.are_texts(parts) else [c for p in parts for c in _contents(p)]


def _contents(part: Part) -> Iterator[dict[str, Any]]:
    match part:
        case TextPart(text):
            yield {"type": "text", "text": text}
        case ImagePart():
            yield {"type": "image_url", "image_url": {"url": terms.image_url(part)}}
        case DocumentPart():
            yield from _document(part)
        case AudioPart():
            yield terms.audio(part)
        case ToolCallPart() | ToolResultPart() | ReasoningPart() | ProviderItem():
            """No content of the user's."""
        case _:
            assert_never(part)


def _document(document: DocumentPart) -> Iterator[dict[str, Any]]:
    match document.source:
        case Link(url):
            # These endpoints read none from an address.
            yield {"type": "text", "text": f"(document at {url})"}
        case StoredFile(media_type=terms.PDF) as file:
            told = {"filename": terms.file_name(document), "file_data": terms.data_url(file)}
            yield {"type": "file", "file": told}
        case StoredFile() as file:
            if title := terms.titled(document):
                yield {"type": "text", "text": title}
            yield {"type": "text", "text": TextFile(file)}
        case _:
            assert_never(document.source)


def _assistant(side: Said, *, in_loop: bool) -> Mapping[str, Any]:
    calls = [_call(part) for part in side.parts if isinstance(part, ToolCallPart)]
    told: dict[str, Any] = {"role": "assistant", "content": side.text or (None if calls else "")}
    thoughts = [part for part in side.parts if isinstance(part, ReasoningPart)]
    if calls:
        told["tool_calls"] = calls
    return told | _reasoning(thoughts, side.text, in_loop=in_loop and bool(calls))


def _reasoning(thoughts: Iterable[ReasoningPart], text: str, *, in_loop: bool) -> dict[str, Any]:
    """Returns the fields with the endpoint's own reasoning."""
    told: dict[str, Any] = {}
    for thought in thoughts:
        kind, data = (thought.signature.kind, thought.signature.data) if thought.signature is not None else ("", "")
        if kind == DETAILS:
            told[DETAILS] = [*told.get(DETAILS, ()), *json.loads(data)]
        elif data:
            """Reasoning of the Responses API."""
        elif kind in IN_LOOPS and in_loop:
            told[kind] = told.get(kind, "") + thought.text
        elif kind == THINKING and in_loop:
            chunk = {"type": THINKING, "thinking": [{"type": "text", "text": thought.text}]}
            told["content"] = [*told.get("content", ()), chunk]
    if "content" in told and text:
        told["content"].append({"type": "text", "text": text})
    return told


def _call(part: ToolCallPart) -> dict[str, Any]:
    function = {"name": part.name, "arguments": terms.arguments(part)}
    return {"id": terms.call_id(part.call_id), "type": "function", "function": function}
