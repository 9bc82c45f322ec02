"""Requests of Chat Completions, as they are sent. What is not named here is ignored."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Raw

ABSENT = Raw(b"")


class ImageUrl(msgspec.Struct):
    """An image."""

    url: str


class Audio(msgspec.Struct):
    """Recorded sound."""

    data: str


class File(msgspec.Struct):
    """A document."""

    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class ContentPart(msgspec.Struct):
    """A part of a message."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageUrl | str | None = None
    input_audio: Audio | None = None
    file: File | None = None


class FunctionCall(msgspec.Struct):
    """A call of a function."""

    name: str
    arguments: str = ""


class GoogleMark(msgspec.Struct):
    """What Gemini needs to recognise its own call."""

    thought_signature: str | None = None


class ExtraContent(msgspec.Struct):
    """What Google adds to its calls."""

    google: GoogleMark | None = None


class ToolCall(msgspec.Struct):
    """A call of a tool by the model."""

    id: str
    type: str = "function"
    function: FunctionCall | None = None
    extra_content: ExtraContent | None = None


class ReasoningDetail(msgspec.Struct):
    """Reasoning that its vendor wants back, as this platform or another server wrote it."""

    data: str | None = None


class Message(msgspec.Struct):
    """A message. Its `reasoning_content` is not read: it has no mark, without which no vendor takes its own back."""

    role: str
    content: str | list[ContentPart] | None = None
    refusal: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None
    name: str | None = None
    audio: Raw = ABSENT
    reasoning_details: list[ReasoningDetail] | None = None


class Function(msgspec.Struct):
    """A function that the model may call."""

    name: str
    description: str | None = None
    parameters: Raw = ABSENT


class ChatTool(msgspec.Struct):
    """A tool."""

    type: str
    function: Function | None = None


class Named(msgspec.Struct):
    """The name of a function."""

    name: str


class AllowedTool(msgspec.Struct):
    """A tool that may be called."""

    type: str
    function: Named | None = None


class AllowedTools(msgspec.Struct):
    """The tools that may be called."""

    mode: str
    tools: list[AllowedTool]


class ChosenTool(msgspec.Struct):
    """Which tools the model calls."""

    type: str
    function: Named | None = None
    allowed_tools: AllowedTools | None = None


class JsonSchema(msgspec.Struct):
    """The schema of an answer."""

    name: str
    schema: Raw = ABSENT


class Format(msgspec.Struct):
    """The form of an answer."""

    type: str
    json_schema: JsonSchema | None = None


class StreamOptions(msgspec.Struct):
    """What a stream holds."""

    include_usage: bool | None = None


class WebSearchOptions(msgspec.Struct):
    """How to search the web."""

    user_location: Raw = ABSENT
    search_context_size: str | None = None


Tokens = Annotated[int, Meta(ge=1, le=2_147_483_647)]
Seed = Annotated[int, Meta(ge=0, le=2_147_483_647)]
StopText = Annotated[str, Meta(min_length=1, max_length=256)]


class ChatRequest(msgspec.Struct):
    """A request. `Raw` values are refused or ignored, whatever they are."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    messages: Annotated[list[Message], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Tokens | None = None
    max_completion_tokens: Tokens | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    stop: StopText | Annotated[list[StopText], Meta(max_length=4)] | None = None
    seed: Seed | None = None
    tools: list[ChatTool] | None = None
    tool_choice: str | ChosenTool | None = None
    parallel_tool_calls: bool | None = None
    response_format: Format | None = None
    reasoning_effort: str | None = None
    service_tier: str | None = None
    web_search_options: WebSearchOptions | None = None
    prompt_cache_key: str | None = None
    store: bool | None = None
    n: int | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    logit_bias: Raw = ABSENT
    modalities: list[str] | None = None
    audio: Raw = ABSENT
    prediction: Raw = ABSENT
    functions: Raw = ABSENT
    function_call: Raw = ABSENT
    moderation: Raw = ABSENT
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    verbosity: str | None = None
