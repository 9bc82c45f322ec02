"""A request to Gemini."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, assert_never

import msgspec
from google.genai import types

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
from aichat_server.providers.domain.requests import ProviderRequest, ReasoningEffort, Tool, ToolChoice, ToolChoiceMode
from aichat_server.providers.gateway import prompt
from aichat_server.providers.gateway.body import Base64File, TextFile
from aichat_server.providers.gateway.gemini_reader import BEFORE_3, TEXT_MARK
from aichat_server.providers.gateway.prompt import Said

Json = Mapping[str, object]
Media = ImagePart | DocumentPart | AudioPart

# The lowest level; the lite models have one below the others' "low".
LITE = "flash-lite"
LEVELS = {
    ReasoningEffort.LOW: types.ThinkingLevel.LOW,
    ReasoningEffort.MEDIUM: types.ThinkingLevel.MEDIUM,
    ReasoningEffort.HIGH: types.ThinkingLevel.HIGH,
}
UNSIGNED = "skip_thought_signature_validator"
"""Google's own replacement for the mark of a call that Gemini has not written. From Gemini 3 on, calls need one."""
CALLING = {
    ToolChoiceMode.AUTO: "AUTO",
    ToolChoiceMode.NONE: "NONE",
    ToolChoiceMode.REQUIRED: "ANY",
    ToolChoiceMode.ONE: "ANY",
}
# Google's names of media types that have several.
MEDIA_TYPES = {"audio/mpeg": "audio/mp3"}
UNREADABLE = {"image/gif": "(GIF image not shown: this model cannot read it)"}
PDF, TEXT = "application/pdf", "text/plain"


def body(request: ProviderRequest, provider: str) -> Mapping[str, object]:
    """Returns the body as the SDK writes it. `provider`: its name in the catalogue."""
    said = prompt.said(request, provider)
    made: dict[str, object] = {
        "contents": list(_contents(said, request)),
        "generationConfig": _config(request),
        **_tools(said, request),
    }
    if system := prompt.system_prompt(request):
        made["systemInstruction"] = _content("user", [{"text": system}])
    if request.options.service_tier is not None:
        made["serviceTier"] = request.options.service_tier.value
    return made


def _content(role: str, parts: Iterable[object]) -> Json:
    return {"role": role, "parts": list(parts)}


def _contents(said: Iterable[Said], request: ProviderRequest) -> Iterator[Json]:
    names: dict[str, str] = {}
    for role, parts in said:
        match role:
            case Role.USER:
                yield _content("user", _of_user(parts, names, request))
            case Role.ASSISTANT:
                names = {part.call_id: part.name for part in parts if isinstance(part, ToolCallPart)}
                yield _content("model", _of_model(parts, request))
            case _:
                assert_never(role)


def _of_model(parts: Sequence[Part], request: ProviderRequest) -> Iterator[object]:
    needs_mark = not request.model.startswith(BEFORE_3)
    for part in parts:
        match part:
            case TextPart(text, signature=mark):
                yield {"text": text, **_marked(mark)}
            case ReasoningPart(text, mark):
                thought = {} if mark is not None and mark.kind == TEXT_MARK else {"thought": True}
                yield {"text": text, **thought, **_marked(mark)}
            case ToolCallPart(call_id, name, arguments, mark):
                call = {"id": call_id, "name": name, "args": _arguments(arguments)}
                own = _marked(mark) or ({"thoughtSignature": UNSIGNED} if needs_mark else {})
                yield {"functionCall": call, **own}
                # Of calls at once, Gemini marks the first.
                needs_mark = False
            case ProviderItem(json=item):
                if request.options.web_search is not None:
                    yield msgspec.Raw(item.encode())
            case ImagePart() | DocumentPart() | AudioPart() | ToolResultPart():
                """No model writes it."""
            case _:
                assert_never(part)


def _marked(mark: Signature | None) -> dict[str, object]:
    return {"thoughtSignature": mark.data} if mark is not None else {}


def _arguments(arguments: str) -> object:
    """Returns the arguments as an object, also those that are none."""
    try:
        if isinstance(msgspec.json.decode(arguments), dict):
            return msgspec.Raw(arguments.encode())
    except (msgspec.MsgspecError, RecursionError):
        pass
    return {"arguments": arguments} if arguments else {}


def _of_user(parts: Sequence[Part], names: Mapping[str, str], request: ProviderRequest) -> Iterator[Json]:
    results = [part for part in parts if isinstance(part, ToolResultPart)]
    holds_media = not request.model.startswith(BEFORE_3)
    yield from (_result(result, names[result.call_id], holds_media=holds_media) for result in results)
    beside = (media for result in results for media in _media(result) if _text_file(media) is None)
    for part in (*(media for media in beside if not (holds_media and _is_inline(media))), *parts):
        match part:
            case TextPart(text):
                yield {"text": text}
            case ImagePart() | DocumentPart() | AudioPart():
                yield from _shown(part)
            case ToolResultPart() | ToolCallPart() | ReasoningPart() | ProviderItem():
                """A result, or nothing that a user says."""
            case _:
                assert_never(part)


def _result(result: ToolResultPart, name: str, *, holds_media: bool) -> Json:
    """Returns a result with its texts. From Gemini 3 on it also holds its images and documents."""
    texts: list[object] = [part.text for part in result.parts if isinstance(part, TextPart)]
    texts += [TextFile(file) for part in _media(result) if (file := _text_file(part)) is not None]
    told: object = texts[0] if len(texts) == 1 else texts or ""
    response: dict[str, object] = {
        "id": result.call_id,
        "name": name,
        "response": {"error" if result.is_error else "output": told},
    }
    if holds_media and (inline := [shown for part in _media(result) if _is_inline(part) for shown in _shown(part)]):
        response["parts"] = inline
    return {"functionResponse": response}


def _media(result: ToolResultPart) -> list[ImagePart | DocumentPart]:
    return [part for part in result.parts if not isinstance(part, TextPart)]


def _text_file(part: Media) -> StoredFile | None:
    file = part.source
    return file if isinstance(file, StoredFile) and file.media_type == TEXT else None


def _is_inline(part: Media) -> bool:
    """Whether a result can hold it: bytes that are no text."""
    file = part.source
    return isinstance(file, StoredFile) and file.media_type != TEXT and file.media_type not in UNREADABLE


def _shown(part: Media) -> Iterator[Json]:
    file = part.source
    if isinstance(part, DocumentPart) and part.title:
        yield {"text": part.title}
    if isinstance(file, Link):
        usual = PDF if isinstance(part, DocumentPart) else "image/jpeg"
        yield {"fileData": {"fileUri": file.url, "mimeType": mimetypes.guess_type(file.url)[0] or usual}}
    elif (note := UNREADABLE.get(file.media_type)) is not None:
        yield {"text": note}
    elif file.media_type == TEXT:
        yield {"text": TextFile(file)}
    else:
        media_type = MEDIA_TYPES.get(file.media_type, file.media_type)
        yield {"inlineData": {"mimeType": media_type, "data": Base64File(file)}}


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
