"""The chunks of Chat Completions, as far as they are read: any server may send anything in most of the fields."""

from __future__ import annotations

from typing import Any

import msgspec


class Delta(msgspec.Struct):
    """What is new of an answer."""

    content: Any = None
    refusal: str | None = None
    # Compatible endpoints send reasoning under one of these names.
    reasoning_content: Any = None
    reasoning: Any = None
    reasoning_details: Any = None
    tool_calls: Any = None
    function_call: Any = None
    annotations: Any = None
    executed_tools: Any = None


class Choice(msgspec.Struct):
    """The one answer of a completion, as only one is asked for."""

    delta: Delta | None = None
    finish_reason: str | None = None


class Chunk(msgspec.Struct):
    """One event."""

    choices: list[Choice] | None = None
    usage: Any = None
    error: Any = None
    citations: Any = None
    search_results: Any = None
    service_tier: Any = None


CHUNKS = msgspec.json.Decoder(Chunk)
