"""The body of a Responses request. Nothing is stored at OpenAI: each request has the whole conversation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, assert_never, cast

import msgspec
from openai.types.responses.response_create_params import ResponseCreateParamsStreaming

from aichat_server.content.parts import (
    AudioPart,
    DocumentPart,
    ImagePart,
    Link,
    Part,
    ProviderItem,
    ReasoningPart,
    Role,
    Signature,
    StoredFile,
    TextPart,
    ToolCallPart,
    ToolResultPart,
)
from aichat_server.providers.domain.requests import ProviderRequest, Tool, ToolChoice, ToolChoiceMode, WebSearch
from aichat_server.providers.gateway import openai_terms as terms
from aichat_server.providers.gateway import prompt
from aichat_server.providers.gateway.body import TextFile
from aichat_server.providers.gateway.prompt import Said

MESSAGE, CALL, REASONING = "message", "function_call", "reasoning"
"""OpenAI's items, which our parts become: the kinds of their signatures."""
# Others cannot be told to leave their cache alone, nor do they charge for it.
CACHES_ON_DEMAND = ("gpt-5.6", "gpt-6")


def params(request: ProviderRequest, provider: str, *, summaries: bool) -> ResponseCreateParamsStreaming:
    """Returns the body; `summaries`: whether to ask for summaries of the reasoning."""
    options = request.options
    told: dict[str, Any] = {
        **asked(request, provider),
        "stream": True,
        "store": False,
        "max_output_tokens": request.max_output_tokens,
        "service_tier": terms.tier(options.service_tier),
    }
    if summaries and request.reasons:
        told["reasoning"] = {**told.get("reasoning", {}), "summary": "auto"}
    plain = {"temperature": options.temperature, "top_p": options.top_p}
    told |= {name: value for name, value in plain.items() if value is not None}
    if options.web_search is not None:
        told["max_tool_calls"] = options.web_search.max_searches
    if options.cache is False:
        if request.model.startswith(CACHES_ON_DEMAND):
            told["prompt_cache_options"] = {"mode": "explicit"}
    elif request.prompt.cache_key:
        told["prompt_cache_key"] = request.prompt.cache_key
    included = {
        "reasoning.encrypted_content": request.reasons,
        "web_search_call.action.sources": options.web_search is not None,
    }
    if any(included.values()):
        told["include"] = [name for name, is_wanted in included.items() if is_wanted]
    return cast("ResponseCreateParamsStreaming", told)


def asked(request: ProviderRequest, provider: str) -> dict[str, Any]:
    """Returns the fields that count as input: those of a request to count it."""
    options = request.options
    told: dict[str, Any] = {"model": request.model, "input": list(_items(request, provider))}
    if system := prompt.system_prompt(request):
        told["instructions"] = system
    if options.reasoning_effort is not None:
        told["reasoning"] = {"effort": terms.effort(request.model, options.reasoning_effort)}
    if options.response_format is not None:
        schema = terms.schema_of(options.response_format.json_schema)
        shape = {"name": options.response_format.name, "schema": schema, "strict": terms.is_strict(schema)}
        told["text"] = {"format": {"type": "json_schema", **shape}}
    tools = [_tool(tool) for tool in options.tools]
    if options.web_search is not None:
        tools.append(_search(options.web_search))
    if tools:
        told["tools"] = tools
        if options.tool_choice is not None:
            told["tool_choice"] = _choice(options.tool_choice)
        if options.parallel_tool_calls is not None:
            told["parallel_tool_calls"] = options.parallel_tool_calls
    return told


def _tool(tool: Tool) -> dict[str, Any]:
    schema = terms.schema_of(tool.parameters)
    described = {"description": tool.description} if tool.description else {}
    strict = terms.is_strict(schema)
    return {"type": "function", "name": tool.name, **described, "parameters": schema, "strict": strict}


def _search(search: WebSearch) -> dict[str, Any]:
    filters = {"filters": {"allowed_domains": list(search.allowed_domains)}} if search.allowed_domains else {}
    return {"type": "web_search", **filters}


def _choice(choice: ToolChoice) -> object:
    match choice.mode:
        case ToolChoiceMode.AUTO | ToolChoiceMode.NONE | ToolChoiceMode.REQUIRED:
            return choice.mode.value
        case ToolChoiceMode.ONE:
            return {"type": "function", "name": choice.name}
        case _:
            assert_never(choice.mode)


def _items(request: ProviderRequest, provider: str) -> Iterator[object]:
    said = prompt.said(request, provider)
    left_alone = _left_alone(request, said)
    for side in said:
        match side.role:
            case Role.USER:
                yield from _user(side)
            case Role.ASSISTANT:
                shown = (part for part in side.parts if part not in left_alone)
                yield from (item for part in shown for item in _written(part, is_own=request.reasons))
            case _:
                assert_never(side.role)


def _left_alone(request: ProviderRequest, said: list[Said]) -> set[Part]:
    """Returns the reasoning whose next item is not shown: OpenAI accepts it only before the item that it led to."""
    shown = {part.call_id for side in said for part in side.parts if isinstance(part, ToolCallPart)}
    alone: set[Part] = set()
    for message in request.prompt.messages:
        run: set[Part] = set()
        for part in message.parts:
            if isinstance(part, ReasoningPart):
                run.add(part)
                continue
            if isinstance(part, ToolCallPart) and part.call_id not in shown:
                alone |= run
            run = set()
        alone |= run
    return alone


def _user(side: Said) -> Iterator[object]:
    content: list[dict[str, Any]] = []
    for part in side.parts:
        if isinstance(part, ToolResultPart):
            yield {"type": "function_call_output", "call_id": terms.call_id(part.call_id), "output": _output(part)}
        else:
            content += _contents(part)
    if content:
        yield {"role": "user", "content": content}


def _output(result: ToolResultPart) -> str | list[dict[str, Any]]:
    if terms.are_texts(result.parts):
        return terms.result_text(result.parts, is_error=result.is_error)
    failed = [TextPart(terms.FAILED)] if result.is_error else []
    return [content for part in (*failed, *result.parts) for content in _contents(part)]


def _contents(part: Part) -> Iterator[dict[str, Any]]:
    match part:
        case TextPart(text):
            yield {"type": "input_text", "text": text}
        case ImagePart():
            yield {"type": "input_image", "detail": "auto", "image_url": terms.image_url(part)}
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
            yield {"type": "input_file", "file_url": url}
        case StoredFile(media_type=terms.PDF) as file:
            yield {"type": "input_file", "filename": terms.file_name(document), "file_data": terms.data_url(file)}
        case StoredFile() as file:
            if title := terms.titled(document):
                yield {"type": "input_text", "text": title}
            yield {"type": "input_text", "text": TextFile(file)}
        case _:
            assert_never(document.source)


def _written(part: Part, *, is_own: bool) -> Iterator[object]:
    """Yields what a model wrote as an item; `is_own`: with OpenAI's marks, which only models that reason accept."""
    match part:
        case TextPart(text, signature=signature):
            content = [{"type": "output_text", "text": text, "annotations": []}]
            yield {"type": MESSAGE, "role": "assistant", **(_marks(signature) if is_own else {}), "content": content}
        case ToolCallPart(own, name, signature=signature):
            told = {"call_id": terms.call_id(own), "name": name, "arguments": part.arguments or "{}"}
            yield {"type": CALL, **(_marks(signature) if is_own else {}), **told}
        case ReasoningPart(signature=signature):
            if is_own and signature is not None and signature.data:
                yield msgspec.Raw(signature.data.encode())
        case ProviderItem(json=item):
            yield msgspec.Raw(item.encode())
        case ImagePart() | DocumentPart() | AudioPart() | ToolResultPart():
            """No model writes it."""
        case _:
            assert_never(part)


def _marks(signature: Signature | None) -> Mapping[str, Any]:
    """Returns the fields of an item that its signature keeps."""
    marks: Mapping[str, Any] = msgspec.json.decode(signature.data) if signature is not None else {}
    return marks
