"""The forms of requests. Fields that are not named here are ignored."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

import msgspec

from aichat_server.compat.domain.bodies import JsonBody
from aichat_server.core.errors import AichatError, invalid_request

MOST_MESSAGES = 100_000
MOST_BLOCKS = 100_000
MOST_TOOLS = 1_024

T = TypeVar("T")

Content = str | Annotated[list[msgspec.Raw], msgspec.Meta(max_length=MOST_BLOCKS)]
"""A text, or blocks as they were sent."""


class Said(msgspec.Struct):
    """A message."""

    role: str
    content: Content


class Tool(msgspec.Struct):
    """A tool: the caller's own or, by its type, one of Anthropic's."""

    name: str
    type: str | None = None
    description: str | None = None
    input_schema: msgspec.Raw = msgspec.Raw(b"")
    max_uses: int | None = None
    allowed_domains: list[str] | None = None
    blocked_domains: list[str] | None = None
    user_location: Any = None


class ToolChoice(msgspec.Struct):
    """Whether the model calls tools, and which."""

    type: str
    name: str = ""
    disable_parallel_tool_use: bool | None = None


class Thinking(msgspec.Struct):
    """Whether the model thinks before it answers."""

    type: str
    budget_tokens: int | None = None
    display: str | None = None


class Format(msgspec.Struct):
    """The form of the answer."""

    type: str
    schema: msgspec.Raw = msgspec.Raw(b"")


class OutputConfig(msgspec.Struct):
    """How to write the answer."""

    effort: str | None = None
    format: Format | None = None
    task_budget: Any = None


class BillingPolicy(msgspec.Struct):
    """Who pays."""

    bill_to: str | None = None


class CountRequest(msgspec.Struct):
    """A request that is to be counted; those for answers have more fields."""

    model: str
    messages: Annotated[list[Said], msgspec.Meta(max_length=MOST_MESSAGES)]
    system: Content | None = None
    tools: Annotated[list[Tool], msgspec.Meta(max_length=MOST_TOOLS)] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: Format | None = None
    mcp_servers: list[Any] | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: list[str] | None = None
    service_tier: str | None = None
    container: Any = None
    thread: Any = None
    compaction: Any = None
    inference_geo: str | None = None
    speed: str | None = None
    fallbacks: Any = None
    billing_policy: BillingPolicy | None = None


class MessageRequest(CountRequest, kw_only=True):
    """A request for an answer."""

    max_tokens: int
    stream: bool | None = None


def read(body: JsonBody, form: type[T]) -> T:
    """Returns the body as `form`. Raises REQUEST_INVALID that names the field in Anthropic's way."""
    return decode(body.raw, msgspec.json.Decoder(form))


def decode(raw: bytes | memoryview | msgspec.Raw, decoder: msgspec.json.Decoder[T], place: str = "") -> T:
    """Returns what `decoder` reads of a value at `place` in the request. Raises REQUEST_INVALID with the field."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _invalid(str(error), place) from None
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise invalid_request(place, "is not valid JSON") from None


_MISSING = re.compile(r"Object missing required field `(\w+)`")


def _invalid(told: str, place: str) -> AichatError:
    words, _, inner = told.partition(" - at `$")
    path = place + re.sub(r"\[(\d+|\.\.\.)\]", r".\1", inner.rstrip("`"))
    if missing := _MISSING.match(words):
        path, words = f"{path}.{missing[1]}", "Field required"
    return invalid_request(path.lstrip("."), words)
