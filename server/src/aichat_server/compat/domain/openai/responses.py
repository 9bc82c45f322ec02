"""Requests of the Responses API, as they are sent. What is not named here is ignored."""

from __future__ import annotations

from typing import Annotated, TypeVar

import msgspec
from msgspec import Meta, Raw

from aichat_server.core.errors import invalid_request

FormT = TypeVar("FormT")

ABSENT = Raw(b"")

Text = Annotated[str, Meta(max_length=512)]
Tokens = Annotated[int, Meta(ge=1, le=2_147_483_647)]


class Content(msgspec.Struct):
    """A part of a message, or of a tool's result."""

    type: str
    text: str | None = None
    refusal: str | None = None
    annotations: list[Annotation] | None = None
    image_url: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    input_audio: Audio | None = None


class Annotation(msgspec.Struct):
    """A page that a text cites."""

    type: str
    url: str | None = None
    title: str | None = None
    start_index: int = 0
    end_index: int = 0


class Audio(msgspec.Struct):
    """Recorded sound."""

    data: str


class Summary(msgspec.Struct):
    """A piece of what is shown of reasoning."""

    text: str = ""


class Item(msgspec.Struct):
    """An item of the input."""

    type: str = "message"
    id: str | None = None
    role: str | None = None
    phase: str | None = None
    content: str | list[Content] | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: str | None = None
    input: str | None = None
    output: str | list[Content] | None = None
    summary: list[Summary] | None = None
    encrypted_content: str | None = None


class ItemHead(msgspec.Struct):
    """What tells the kind of an item. The others may have anything else."""

    type: str | None = None
    id: str | None = None
    tools: Raw = Raw(b"[]")


class Filters(msgspec.Struct):
    """Where a search may look."""

    allowed_domains: list[str] | None = None


class Grammar(msgspec.Struct):
    """What the input of a custom tool must follow."""

    type: str = "text"
    syntax: str | None = None
    definition: str | None = None


class ResponseTool(msgspec.Struct):
    """A tool."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: Raw = ABSENT
    format: Grammar | None = None
    filters: Filters | None = None
    external_web_access: bool | None = None
    tools: list[ResponseTool] | None = None
    """Those of a namespace."""


class AddedTools(msgspec.Struct):
    """An item that offers more tools."""

    role: str | None = None
    tools: list[ResponseTool] = []


class OfferedTool(msgspec.Struct, omit_defaults=True):
    """What the calls of a tool name, or those of a namespace's tools."""

    type: str
    name: str | None = None
    tools: list[OfferedTool] | None = None


class ChosenTool(msgspec.Struct):
    """Which tools the model calls."""

    type: str
    name: str | None = None
    mode: str | None = None
    tools: list[NamedTool] | None = None


class NamedTool(msgspec.Struct):
    """A tool that may be called."""

    type: str
    name: str | None = None


class Reasoning(msgspec.Struct):
    """How much the model reasons, and what is shown of it."""

    effort: str | None = None
    summary: str | None = None
    mode: str | None = None


class Format(msgspec.Struct):
    """The form of an answer."""

    type: str = "text"
    name: str | None = None
    schema: Raw = ABSENT


class TextOptions(msgspec.Struct):
    """How the answer's text is to be."""

    format: Format | None = None
    verbosity: str | None = None


class ConversationId(msgspec.Struct):
    """A conversation."""

    id: str


class ResponseRequest(msgspec.Struct):
    """A request. `Raw` values are refused or told back, whatever they are."""

    model: Annotated[str, Meta(min_length=1, max_length=256)]
    input: str | list[Raw] = ""
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: Tokens | None = None
    max_tool_calls: Tokens | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Annotated[float, Meta(gt=0, le=1)] | None = None
    tools: list[ResponseTool] | None = None
    tool_choice: str | ChosenTool | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    text: TextOptions | None = None
    include: list[str] | None = None
    metadata: Annotated[dict[Annotated[str, Meta(max_length=64)], Text], Meta(max_length=16)] | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: Text | None = None
    conversation: Text | ConversationId | None = None
    truncation: str | None = None
    service_tier: str | None = None
    prompt_cache_key: Text | None = None
    safety_identifier: Text | None = None
    user: Text | None = None
    top_logprobs: int | None = None
    prompt: Raw = ABSENT
    context_management: Raw = ABSENT
    moderation: Raw = ABSENT
    access_programs: Raw = ABSENT
    background_options: Raw = ABSENT

    @property
    def is_stored(self) -> bool:
        """Whether the response is to be kept. What runs in the background always is."""
        return bool(self.store or self.background)

    @property
    def keeps_reasoning(self) -> bool:
        """Whether the caller keeps the reasoning, and sends it again."""
        return "reasoning.encrypted_content" in (self.include or ())


def read_form(raw: Raw, form: type[FormT], field: str) -> FormT:
    """Returns a value of the request as `form`. Raises REQUEST_INVALID that names the field."""
    try:
        return msgspec.json.decode(raw, type=form)
    except msgspec.ValidationError as error:
        words, _, place = str(error).partition(" - at `$")
        raise invalid_request(field + place.rstrip("`"), f"is not valid: {words}") from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise invalid_request(field, "is no valid text") from None
