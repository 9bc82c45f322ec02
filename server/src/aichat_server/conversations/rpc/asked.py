"""What a caller asks of a model, from the contract to the domain."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import dropwhile
from types import MappingProxyType
from typing import assert_never

from aichat.v1 import messages_pb2, models_pb2, options_pb2, parts_pb2

from aichat_server.content.parts import AudioPart, DocumentPart, ImagePart, Part, TextPart, ToolResultPart
from aichat_server.core.errors import invalid_request
from aichat_server.files.domain.asked import AskedFile
from aichat_server.files.domain.links import public_link
from aichat_server.models.domain.models import ServiceTier
from aichat_server.providers.domain.requests import (
    ChatOptions,
    LongHistory,
    ReasoningEffort,
    ResponseFormat,
    Tool,
    ToolChoice,
    ToolChoiceMode,
    WebSearch,
)
from aichat_server.transport.attachments import attached

MOST_TEXT_BYTES = 4 * 1024 * 1024
"""All text of a message, in UTF-8."""

EFFORTS: Mapping[int, ReasoningEffort] = MappingProxyType(
    {
        options_pb2.REASONING_EFFORT_NONE: ReasoningEffort.NONE,
        options_pb2.REASONING_EFFORT_LOW: ReasoningEffort.LOW,
        options_pb2.REASONING_EFFORT_MEDIUM: ReasoningEffort.MEDIUM,
        options_pb2.REASONING_EFFORT_HIGH: ReasoningEffort.HIGH,
    }
)
TOOL_CHOICES: Mapping[int, ToolChoiceMode] = MappingProxyType(
    {
        options_pb2.TOOL_CHOICE_MODE_UNSPECIFIED: ToolChoiceMode.AUTO,
        options_pb2.TOOL_CHOICE_MODE_AUTO: ToolChoiceMode.AUTO,
        options_pb2.TOOL_CHOICE_MODE_NONE: ToolChoiceMode.NONE,
        options_pb2.TOOL_CHOICE_MODE_REQUIRED: ToolChoiceMode.REQUIRED,
        options_pb2.TOOL_CHOICE_MODE_ONE: ToolChoiceMode.ONE,
    }
)
SERVICE_TIERS: Mapping[int, ServiceTier] = MappingProxyType(
    {
        models_pb2.SERVICE_TIER_STANDARD: ServiceTier.STANDARD,
        models_pb2.SERVICE_TIER_FLEX: ServiceTier.FLEX,
        models_pb2.SERVICE_TIER_PRIORITY: ServiceTier.PRIORITY,
    }
)
LONG_HISTORIES: Mapping[int, LongHistory] = MappingProxyType(
    {
        options_pb2.LONG_HISTORY_DROP: LongHistory.DROP,
        options_pb2.LONG_HISTORY_SUMMARIZE: LongHistory.SUMMARIZE,
        options_pb2.LONG_HISTORY_REFUSE: LongHistory.REFUSE,
    }
)


def parts_from_proto(parts: Sequence[messages_pb2.Part]) -> tuple[Part, ...]:
    """Returns a validated request's parts. Raises REQUEST_INVALID."""
    _check_order(parts)
    _check_size(parts)
    return tuple(_part(part, f"parts[{n}]") for n, part in enumerate(parts))


def options_from_proto(options: options_pb2.ChatOptions) -> ChatOptions:
    """Returns a validated request's options."""
    told = options.HasField
    return ChatOptions(
        max_output_tokens=options.max_output_tokens if told("max_output_tokens") else None,
        temperature=options.temperature if told("temperature") else None,
        stop=tuple(options.stop),
        system_prompt=options.system_prompt,
        reasoning_effort=EFFORTS.get(options.reasoning_effort),
        tools=tuple(Tool(tool.name, tool.description, tool.parameters) for tool in options.tools),
        tool_choice=_tool_choice(options.tool_choice) if told("tool_choice") else None,
        parallel_tool_calls=options.parallel_tool_calls if told("parallel_tool_calls") else None,
        response_format=_response_format(options.response_format) if told("response_format") else None,
        top_p=options.top_p if told("top_p") else None,
        seed=options.seed if told("seed") else None,
        web_search=_web_search(options.web_search) if told("web_search") else None,
        service_tier=SERVICE_TIERS.get(options.service_tier),
        cache=options.cache if told("cache") else None,
        long_history=LONG_HISTORIES.get(options.long_history),
    )


def _check_order(parts: Sequence[messages_pb2.Part]) -> None:
    others = dropwhile(lambda numbered: numbered[1].HasField("tool_result"), enumerate(parts))
    for n, part in others:
        if part.HasField("tool_result"):
            raise invalid_request(f"parts[{n}]", "is a tool result behind another part: results come first")


def _check_size(parts: Iterable[messages_pb2.Part]) -> None:
    """A list of messages must be able to return the message, whose files are no part of it."""
    if sum(len(text.encode()) for part in parts for text in _texts(part)) > MOST_TEXT_BYTES:
        raise invalid_request("parts", f"hold more than {MOST_TEXT_BYTES} bytes of text: send a document instead")


def _texts(part: messages_pb2.Part) -> Iterator[str]:
    yield part.text.text
    yield from (inner.text.text for inner in part.tool_result.parts)


def _tool_choice(choice: options_pb2.ToolChoice) -> ToolChoice:
    return ToolChoice(TOOL_CHOICES[choice.mode], choice.name)


def _response_format(told: options_pb2.ResponseFormat) -> ResponseFormat:
    return ResponseFormat(told.json_schema, told.name or "answer")


def _web_search(search: options_pb2.WebSearch) -> WebSearch:
    return WebSearch(search.max_searches or 5, tuple(search.allowed_domains))


def _part(part: messages_pb2.Part, name: str) -> Part:
    kind = part.WhichOneof("kind")
    match kind:
        case "text":
            return TextPart(part.text.text)
        case "tool_result":
            return _tool_result(part.tool_result, f"{name}.tool_result")
        case "image":
            return _image(part.image, f"{name}.image")
        case "document":
            return _document(part.document, f"{name}.document")
        case "audio":
            return _audio(part.audio, f"{name}.audio")
        case "tool_call" | "reasoning" | "provider_item":
            raise invalid_request(name, f"is a {kind}, which only answers have")
        case None:
            raise ValueError("a request with a part of no kind has passed validation")
        case _:
            assert_never(kind)


def _tool_result(result: messages_pb2.ToolResultPart, name: str) -> ToolResultPart:
    inner = (_result_part(part, f"{name}.parts[{n}]") for n, part in enumerate(result.parts))
    return ToolResultPart(result.call_id, tuple(inner), result.is_error)


def _result_part(part: messages_pb2.ResultPart, name: str) -> TextPart | ImagePart | DocumentPart:
    kind = part.WhichOneof("kind")
    match kind:
        case "text":
            return TextPart(part.text.text)
        case "image":
            return _image(part.image, f"{name}.image")
        case "document":
            return _document(part.document, f"{name}.document")
        case None:
            raise ValueError("a request with a part of no kind has passed validation")
        case _:
            assert_never(kind)


def _image(part: parts_pb2.ImagePart, name: str) -> ImagePart:
    return ImagePart(public_link(name, part.url) if part.WhichOneof("source") == "url" else _file(part, name))


def _document(part: parts_pb2.DocumentPart, name: str) -> DocumentPart:
    source = public_link(name, part.url) if part.WhichOneof("source") == "url" else _file(part, name)
    return DocumentPart(source, part.title)


def _audio(part: parts_pb2.AudioPart, name: str) -> AudioPart:
    return AudioPart(_file(part, name))


def _file(part: parts_pb2.ImagePart | parts_pb2.DocumentPart | parts_pb2.AudioPart, name: str) -> AskedFile:
    """Returns the file of a part, as the request shows it: Files.resolve looks at it."""
    if part.WhichOneof("source") == "file_id":
        return AskedFile(part.file_id, "", 0, field=name)
    return AskedFile("", "", 0, data=attached(part.data), field=name)
