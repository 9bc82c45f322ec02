"""The keyword arguments of calls that ask a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, NotRequired, Required, TypedDict

from aichat_sdk._proto.aichat.v1 import ResponseFormat, ToolChoice, WebSearch
from aichat_sdk.content import Content
from aichat_sdk.tools import Tool

Effort = Literal["none", "low", "medium", "high"]
"""How much a model should reason before it answers."""

Tier = Literal["standard", "flex", "priority"]
"""A vendor's class of service, which changes price and speed."""

LongHistoryRule = Literal["drop", "summarize", "refuse"]
"""What happens if a conversation is longer than the model's context."""

ToolRule = Literal["auto", "none", "required"]
"""Whether a model calls tools: it decides, it calls none, or it calls at least one."""


class CountParams(TypedDict):
    """The keyword arguments of `client.chat.count_tokens`. The server has defaults for those left out."""

    model: Required[str]
    """The model to ask, an id from `client.models.list()`."""
    text: NotRequired[str | None]
    """The message, if it is only text."""
    parts: NotRequired[Sequence[Content] | None]
    """The message's content, instead of `text`: strings, images, documents, audio, and the results of tools."""
    conversation_id: NotRequired[str | None]
    """The conversation to continue. None: a new one begins."""
    parent_message_id: NotRequired[str | None]
    """The message that this one follows. None: the last one of the conversation's newest branch."""
    max_output_tokens: NotRequired[int | None]
    """The most tokens that the answer may have."""
    temperature: NotRequired[float | None]
    """How random the model's choice of words is, from 0 to 2."""
    top_p: NotRequired[float | None]
    """Limits the choice of words to the likeliest that together have this probability."""
    seed: NotRequired[int | None]
    """Makes equal requests likely to get equal answers."""
    stop: NotRequired[str | list[str] | None]
    """Ends the answer before any of these sequences: at most 4."""
    system_prompt: NotRequired[str | None]
    """Instructions that precede the conversation, such as background and behaviour."""
    reasoning_effort: NotRequired[Effort | None]
    """How much the model should reason."""
    tools: NotRequired[Sequence[Tool | Callable[..., Any]] | None]
    """The tools that the model may call: typed functions, or tools."""
    tool_choice: NotRequired[ToolRule | str | ToolChoice | None]
    """Whether the model calls tools, or the name of the one to call. None: the model decides."""
    parallel_tool_calls: NotRequired[bool | None]
    """Whether the model may call several tools at once."""
    response_format: NotRequired[Mapping[str, Any] | ResponseFormat | None]
    """The JSON Schema that the answer must follow; `output_type` makes it from a type."""
    web_search: NotRequired[bool | WebSearch | None]
    """Whether the model may search the web, or how."""
    service_tier: NotRequired[Tier | None]
    """The vendor's class of service."""
    cache: NotRequired[bool | None]
    """Whether the vendor may keep the conversation in its cache. None: it may."""
    long_history: NotRequired[LongHistoryRule | None]
    """What happens if the conversation is longer than the model's context."""


class ChatParams(CountParams):
    """The keyword arguments of `client.chat.stream`, `client.chat.send` and `client.chat.run_tools`.

    The server has defaults for those left out.
    """

    request_id: NotRequired[str | None]
    """A UUID that makes the call safe to repeat. None: a new one is made."""
    cancel_on_disconnect: NotRequired[bool]
    """Whether to cancel the answer when its reader stops early, or its connection breaks."""
